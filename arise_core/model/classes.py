"""The classes of a model: the one place that finds, names and colours them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.naming import FORMER_NAMES, NONE, REJECTED, ClassInfo, short_name
from arise_core.crystals.symbols import other_words
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray

#: Index of what has no prediction.
MISSING = -1
#: Stands for all classes where names are listed.
ALL = "all"


class ClassTable(tuple[ClassInfo, ...]):
    """Classes in the order of a model's probabilities. Names and look-ups are made once a table."""

    @classmethod
    def of(cls, classes: Iterable[ClassInfo]) -> ClassTable:
        """The table of some classes; a table is handed back as it is."""
        return classes if isinstance(classes, ClassTable) else cls(classes)

    # --- names ------------------------------------------------------------------------------------------------

    @cached_property
    def short(self) -> tuple[str, ...]:
        """Names without spaces or commas, unique; the full label where the name is not enough.

        Made by `short_name`: "fcc", "L1_2", "rock_salt", "nanotube_3_3".
        """
        short = [short_name(c.name) for c in self]
        times = Counter(short)
        taken = {"", REJECTED, NONE}
        return tuple(
            name if times[name] == 1 and name not in taken else c.label
            for name, c in zip(short, self, strict=True)
        )

    @cached_property
    def identifiers(self) -> tuple[str, ...]:
        """Capitals, digits and underscores, for attributes in OVITO."""
        return tuple(c.identifier for c in self)

    @cached_property
    def colours(self) -> FloatArray:
        """Red, green, blue, 0 to 1, (n_classes, 3)."""
        return np.array([c.colour for c in self]).reshape(-1, 3)

    @cached_property
    def _labels(self) -> NDArray[np.object_]:
        return np.array([*(c.label for c in self), None], dtype=object)

    @cached_property
    def _names(self) -> NDArray[np.object_]:
        return np.array([*(c.name for c in self), None], dtype=object)

    @cached_property
    def _short(self) -> NDArray[np.str_]:
        return np.array([*self.short, NONE])

    def labels_of(self, index: IntArray) -> NDArray[np.object_]:
        """Label of each index, (n,); None for -1."""
        return self._labels[index]

    def names_of(self, index: IntArray) -> NDArray[np.object_]:
        """Display name of each index, (n,); None for -1."""
        return self._names[index]

    def short_of(self, index: IntArray) -> NDArray[np.str_]:
        """Short name of each index, (n,); "none" for -1."""
        return self._short[index]

    # --- look-ups -----------------------------------------------------------------------------------------------

    @cached_property
    def _words(self) -> dict[str, int]:
        """Index of a class by everything that it may be called, in small letters; the first class of a name wins."""
        known: dict[str, int] = {}
        for k, (c, short) in enumerate(zip(self, self.short, strict=True)):
            for word in (short, *c.words):
                known.setdefault(word.casefold(), k)
        for k, c in enumerate(self):
            for word in (*FORMER_NAMES.get(c.label, ()), *other_words(c.label)):
                known.setdefault(word.casefold(), k)
        return known

    def find(self, name: str, argument: str = "name", shown: Sequence[str] = ()) -> int:
        """Index of the class with this short name, label, display name or identifier; capitals do not matter.

        Classes of the table of prototypes have Strukturbericht symbols and common names, too.

        Args:
            name: what it is called.
            argument: of the caller, for the message.
            shown: what classes are called in the message, in their order; by default by short name.

        Raises:
            InputError: there is none; the message lists similar ones.
        """
        found = self._words.get(name.strip().casefold())
        if found is None:
            raise InputError(
                f"`{argument}` must be a class of the model, got {name!r}{self._hint(name, shown or self.short)}"
            )
        return found

    def find_all(self, names: Iterable[str], argument: str, shown: Sequence[str] = ()) -> tuple[int, ...]:
        """Indices of the named classes in the order of the table, each once; "all" names all.

        Raises:
            InputError: a name that is none, with similar ones.
        """
        found: set[int] = set()
        for name in names:
            found.update(range(len(self)) if name.casefold() == ALL else (self.find(name, argument, shown),))
        return tuple(sorted(found))

    def _hint(self, name: str, shown: Sequence[str]) -> str:
        close = difflib.get_close_matches(name.casefold(), self._words, n=5, cutoff=0.4)
        found = dict.fromkeys(shown[self._words[word]] for word in close)
        return f"; close: {', '.join(found)}" if found else ""

    # --- most probable ----------------------------------------------------------------------------------------------

    def top(self, probabilities: Any, k: int) -> list[tuple[int, float]]:
        """Indices and probabilities of the k most probable classes, best first.

        Args:
            probabilities: (n_classes,).
            k: how many, at most.
        """
        order = np.argsort(-np.asarray(probabilities), kind="stable")[:k]
        return [(int(i), float(probabilities[i])) for i in order]
