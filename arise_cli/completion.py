"""What the shell completes: names of models and of classes. It waits for the answer, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable


def model_names(incomplete: str) -> list[str]:
    """Models of the zoo that begin like this; paths are completed by the shell."""
    from arise_core.model.contents import known_models

    return [name for name in known_models() if name.startswith(incomplete)]


def class_names(incomplete: str) -> list[str]:
    """Short names of the 108 classes that begin like this, as results have them."""
    from arise_core.crystals.naming import short_name
    from arise_core.crystals.table import prototypes

    return [name for p in prototypes() if (name := short_name(p.name)).startswith(incomplete)]


def words(*known: str) -> Callable[[str], list[str]]:
    """Those of some words that begin like what there is."""
    return lambda incomplete: [word for word in known if word.startswith(incomplete)]
