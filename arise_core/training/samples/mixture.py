"""The mixture of all kinds of samples that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from arise_core.crystals.crystal import Crystal
from arise_core.errors import InputError
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import at_least, check_keys, from_plain, to_plain, values_of
from arise_core.training.samples import kinds as registry
from arise_core.training.samples.common import Common, check_labels
from arise_core.training.samples.job import Make, SampleJob, given, jobs_of
from arise_core.training.samples.kind import OfNone, Task
from arise_core.training.samples.pristine import pristine_jobs

PRISTINE = "pristine"


@dataclass(frozen=True, kw_only=True)
class PerturbedSamples(Common):
    """Ideal and noisy structures and boxes, alloys, faults, disorder and crystals that are no class.

    In a recipe the counts stand beside the other keys (`samples.whole = 120`), and what a kind's samples are like in a
    table of the kind (`[samples.settings.alloys]`).

    Args:
        pristine: copies of each of the pristine structures.
        counts: samples of each kind, a class or in all; those of the kind for kinds that are left out.
        settings: settings of each kind that differ from the kind's own.
    """

    pristine: int = at_least(0, 4, detail=False)
    counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_labels(self.box_factors, "box_factors")
        check_labels(self.strains.random, "strains.random")
        check_labels(self.strains.along_c, "strains.along_c")
        known = registry.kinds()
        for name, given_ in (("counts", self.counts), ("settings", self.settings)):
            check_keys(given_, known, name)
        counts = {name: self.counts.get(name, kind.count) for name, kind in known.items()}
        for name, count in counts.items():
            if count < 0:
                raise InputError(f"`{name}` must be at least 0, got {count}")
        settings = {name: self.settings.get(name, kind.settings) for name, kind in known.items()}
        for name, kind in known.items():
            if not isinstance(settings[name], type(kind.settings)):
                raise InputError(f"`settings` of {name!r} must be {type(kind.settings).__name__}")
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "settings", settings)

    # --- samples --------------------------------------------------------------------------------------------------

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[SampleJob]:
        """Jobs of up to 50 samples of one kind and class.

        Args:
            settings: of the descriptor.
            seed: of all random choices.
            crystals: the classes; the 108 prototypes if left out.
        """
        crystals = given(crystals)
        jobs = list(pristine_jobs(crystals, self.pristine, settings))
        for number, (make, total) in enumerate(self._parts(crystals, settings)):
            jobs += jobs_of(make, total, (seed, number))
        return jobs

    def _parts(self, crystals: Sequence[Crystal], settings: DescriptorSettings) -> Iterator[tuple[Make, int]]:
        """Maker and number of samples of every class and kind; their order numbers them for the seeds."""
        tasks = {
            name: Task(known=crystals, common=self, own=own, descriptor=settings)
            for name, own in self.settings.items()
        }
        for one_round in registry.ROUNDS:
            for crystal in (*crystals, None):
                for kind in one_round:
                    part = self._part(kind, crystal, tasks[kind.name])
                    if part is not None:
                        yield part

    def _part(
        self, kind: registry.AnyKind, crystal: Crystal | None, task: Task[Any]
    ) -> tuple[Make, int] | None:
        count = self.counts[kind.name]
        if isinstance(kind, OfNone):
            return None if crystal is not None else (partial(kind.make, task), count)
        times = None if crystal is None else kind.times(crystal, self, task.own)
        if crystal is None or times is None:
            return None
        task = replace(task, common=self.of_class(crystal.label))
        return partial(kind.make, crystal, task), count * times

    # --- other mixtures ---------------------------------------------------------------------------------------------

    def with_counts(self, counts: Mapping[str, int]) -> PerturbedSamples:
        """The same with other numbers of samples of some kinds."""
        return replace(self, counts={**self.counts, **counts})

    def at_most(self, limits: Mapping[str, int], others: int | None = None) -> PerturbedSamples:
        """The same with no more samples than that of each kind.

        Args:
            limits: by name of the kind, "pristine" too.
            others: of kinds that are not named; None: as many as there are.
        """
        check_keys(limits, {PRISTINE, *self.counts}, "limits")

        def limited(name: str, count: int) -> int:
            limit = limits.get(name, others)
            return count if limit is None else min(count, limit)

        counts = {name: limited(name, count) for name, count in self.counts.items()}
        return replace(self, pristine=limited(PRISTINE, self.pristine), counts=counts)

    # --- recipes ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_plain(
        cls, data: dict[str, Any], where: str, base: PerturbedSamples | None = None
    ) -> PerturbedSamples:
        """The samples of a table of a recipe.

        Args:
            data: the table.
            where: its name, for messages.
            base: what all that it leaves out is like; None: `PerturbedSamples()`.

        Raises:
            InputError: an unknown key, or a value of the wrong type or out of range.
        """
        base = base or cls()
        known = registry.kinds()
        own = {f.name for f in fields(cls)} - {"counts"}
        check_keys(data, {*own, *known}, where)
        counts = {k: v for k, v in data.items() if k in known}
        for name, count in counts.items():
            if type(count) is not int:
                raise InputError(f"`{where}.{name}` must be of type int, got {count!r}")
        tables = data.get("settings", {})
        check_keys(tables, known, f"{where}.settings")
        settings = {k: from_plain(base.settings[k], v, f"{where}.settings.{k}") for k, v in tables.items()}
        rest = {k: v for k, v in data.items() if k not in known and k != "settings"}
        return replace(
            base,
            **values_of(cls, rest, where, base),
            counts={**base.counts, **counts},
            settings={**base.settings, **settings},
        )

    def to_plain(self, base: PerturbedSamples | None = None, *, complete: bool = False) -> dict[str, Any]:
        """The table of a recipe; `from_plain` on the same `base` is the inverse.

        Args:
            base: details that equal those of it are left out; None: `PerturbedSamples()`.
            complete: leave out nothing.
        """
        base = base or PerturbedSamples()
        plain = to_plain(self, base, complete=complete)
        pristine, counts, settings = (plain.pop(k) for k in (PRISTINE, "counts", "settings"))
        tables = {k: to_plain(own, base.settings[k], complete=complete) for k, own in settings.items()}
        tables = {k: table for k, table in tables.items() if table}
        return {PRISTINE: pristine, **counts, **plain} | ({"settings": tables} if tables else {})
