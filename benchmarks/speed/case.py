"""What a case is: something to measure in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """How a case is to be measured."""

    repeats: int = 5  # times are medians over as many
    quick: bool = False  # the short form: the same on little

    def size(self, full: T, short: T) -> T:
        """The one of two sizes that is asked for."""
        return short if self.quick else full


@dataclass(frozen=True)
class Case:
    """A measurement, and what it aims at."""

    measure: Callable[[Given], dict[str, Any]]  # figures by their names
    threads: int = 2
    goals: Mapping[str, str] = field(default_factory=dict)  # by name of the figure

    @property
    def about(self) -> str:
        """What is measured, in a sentence."""
        return (self.measure.__doc__ or "").partition("\n")[0]
