"""Tests, in the same rooms as the code; `doors` holds what all adapters have to agree on."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
