"""The version of this software: of `arise-core`, of `ovito-arise`, and of what both write."""

VERSION = "0.2.0"
