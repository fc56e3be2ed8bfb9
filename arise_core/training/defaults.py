"""Defaults that the command line shows before anything heavy is imported."""

from __future__ import annotations

#: Model that own classes are added to, and whose recipe a folder of structures is trained by.
DEFAULT_MODEL = "arise-108"
