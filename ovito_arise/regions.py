"""The modifier "ARISE: find regions": boxes that are alike, whatever class they are of, and where they lie."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ovito.data import DataCollection
from ovito.modifiers import PythonModifier
from ovito.pipeline import ModificationNode
from traits.api import Bool, Instance

from arise_core import Exploration
from arise_core.errors import WorkError
from arise_core.explore.job import exploration_steps, explored_again
from arise_core.explore.representations import chosen_layers
from arise_core.progress import Job
from arise_core.settings import ExploreSettings, options_of
from ovito_arise import clusters
from ovito_arise.cache import ResultStore, memory_of
from ovito_arise.mapping import SHOWN, MapModifier, Steps
from ovito_arise.modifier import AriseModifier
from ovito_arise.parameters import Clusters, cluster_numbers, plain, traits_of

__all__ = ["AriseRegions"]

T = TypeVar("T")


@dataclass(frozen=True)
class Explored:
    """What was found of one frame."""

    found: Exploration

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        found, field = self.found, self.found.field
        assert field is not None
        material = field.grid.material
        parts = (found, found.prediction, found.clusters, found.embedding, field, field.grid, material)
        return memory_of(*parts, material.structure, material.body)


class AriseRegions(MapModifier):
    """Find regions that the model's representations tell apart, whatever class they are of, known or unknown.

    Boxes are clustered by what a hidden layer of the network makes of them (HDBSCAN), and laid out on a plane where
    alike boxes lie together (UMAP). Particles get `ARISE Cluster`: 0 is none, 1 the largest cluster.
    See docs/ovito.md for all parameters and outputs.

    Raises:
        TypeError: an unknown parameter.
        TraitError, ValueError: a value that is out of range, names nothing, or does not fit another one.
    """

    # Sessions and generated code name the class by its module: this is the one that stays.
    __module__ = "ovito_arise"

    reuse = Bool(
        True, label="Map of the ARISE modifier before", ovito_group="Input",
        desc="take model, boxes and input from the modifier 'identify crystal structures' before this one, if there "
        "is one; those set here are not used then. Its map is taken too, unless boxes have several sizes there",
    )  # fmt: skip
    min_cluster_size: str  # of the traits of all settings of clusters and plane
    locals().update(traits_of(ExploreSettings, "Clusters"))
    select = Clusters(
        "", label="Select", ovito_group="Output", ovito_placeholder="1, 3", **SHOWN,
        desc="numbers of clusters whose particles are selected, 0 for what is in none; empty: the selection stays",
    )  # fmt: skip
    color_particles = Bool(
        True, label="Color particles by cluster", ovito_group="Output", **SHOWN,
        desc="else their colors stay as they are",
    )  # fmt: skip
    _results = Instance(ResultStore, (), allow_none=False, transient=True)

    # --- what OVITO calls -----------------------------------------------------------------------------------

    def modify(
        self, data: DataCollection, *, pipeline_node: ModificationNode | None = None, **_: Any
    ) -> Steps:
        """Add the outputs to a data collection; yields texts and shares of the work done."""
        settings = self._explore_settings()
        before = modifier_before(pipeline_node) if self.reuse else None
        source = before or self
        atoms = source._atoms(data)
        yield from (f"ARISE: {note}" for note in atoms.material.notes)
        model = source._model()
        (layer,) = chosen_layers(model, settings.layer)
        settings = replace(settings, layer=layer)
        key = (source._key(atoms, model), layer)
        kept = self._results.get(key)
        if kept is None or kept.found.settings != settings:
            if kept is None:
                field = None if before is None else before.map_of(atoms)
                boxes = source._map_settings(atoms.material)
                if field is not None and field.sharp and boxes.resolution == "auto":
                    field = None  # boxes are compared with each other: they must have one size
                job = exploration_steps(field or atoms.material, model, settings, boxes, source._sampling())
            else:
                job = explored_again(kept.found, settings)
            found = yield from told(job)
            if kept is None and field is None:
                assert found.field is not None
                found = replace(found, field=found.field.moved(atoms.origin))
            kept = Explored(found)
            self._results.put(key, kept)
        shown = clusters.Shown(self.color_particles, cluster_numbers(self.select))
        clusters.write(data, kept.found, atoms.selected, shown, atoms.material.notes)

    # --- for scripts ----------------------------------------------------------------------------------------

    @property
    def exploration(self) -> Exploration:
        """What was found of the frame evaluated last: clusters, plane, map; to save, or for pictures and the page.

        Raises:
            RuntimeError: no frame was evaluated.
        """
        last = self._results.last()
        if last is None:
            raise WorkError("no frame was evaluated yet: call `pipeline.compute()` first")
        assert isinstance(last, Explored)
        return last.found

    # --- parameters to settings -----------------------------------------------------------------------------

    def _check(self) -> None:
        super()._check()
        chosen_layers(self._model(), self._explore_settings().layer)

    def _explore_settings(self) -> ExploreSettings:
        given = {name: getattr(self, name) for name in options_of(ExploreSettings)}
        return ExploreSettings(**given | {"min_cluster_size": plain(self.min_cluster_size)})


def modifier_before(node: ModificationNode | None) -> AriseModifier | None:
    """The nearest `AriseModifier` before a place in a pipeline that is switched on."""
    place = None if node is None else node.input
    while isinstance(place, ModificationNode):
        modifier = place.modifier
        if (
            isinstance(modifier, PythonModifier)
            and modifier.enabled
            and isinstance(modifier.delegate, AriseModifier)
        ):
            return modifier.delegate
        place = place.input
    return None


def told(job: Job[T]) -> Generator[float | str, None, T]:
    """A job whose messages OVITO shows: yields them and the shares of the work done."""
    said = ""
    with closing(job):
        while True:
            try:
                step = next(job)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if step.message and step.message != said:
                said = step.message
                yield f"ARISE: {said}"
            yield step
