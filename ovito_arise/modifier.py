"""The modifier "ARISE: identify crystal structures": parameters, cache, and the way from input to outputs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ovito.data import DataCollection
from ovito.traits import OvitoObject
from ovito.vis import VoxelGridVis
from traits.api import Bool, Enum, Instance, Range

import arise_core as arise
from arise_core.errors import WorkError
from arise_core.model.prediction import Rule
from arise_core.recognition.result import Recognition, recognise_steps
from arise_core.settings import KeptProbabilities, MapSettings, RecognitionSettings
from ovito_arise import outputs
from ovito_arise.cache import Result, ResultStore
from ovito_arise.convert import Analysed, nothing_in
from ovito_arise.mapping import SHOWN, MapModifier, Steps
from ovito_arise.parameters import CARD, NEVER, ClassNames, RejectThreshold, class_indices

__all__ = ["AriseModifier"]

COLORS = ("structure", "mutual information", "rejection uncertainty", "confidence", "nothing")


class AriseModifier(MapModifier):
    """Identify the crystal structure around each particle, and how sure the model is of it.

    A box slides over the structure; a Bayesian neural network classifies what is in it. Particles get the
    values interpolated between the boxes' centres: `Structure Type` (0 is Other), `ARISE Confidence`
    (probability of the class), `ARISE Mutual Information` (bit; doubt of the model), `ARISE Reject Score`,
    `ARISE Rejection Uncertainty` (bit; doubt whether it is rejected).
    See docs/ovito.md for all parameters and outputs.

    Raises:
        TypeError: an unknown parameter.
        TraitError, ValueError: a value that is out of range, names nothing, or does not fit another one.
    """

    # Sessions and generated code name the class by its module: this is the one that stays.
    __module__ = "ovito_arise"

    classes = ClassNames(
        "all", label="Classes to consider", ovito_group="Labels", ovito_placeholder="FCC, HCP", **SHOWN,
        desc="particles of any other class become Other",
    )  # fmt: skip
    reject_threshold = RejectThreshold(
        CARD, label="Reject threshold", ovito_group="Labels", ovito_placeholder="card, never, or 0 to 1", **SHOWN,
        desc="reject score from which a particle is none of the classes; card: the model's own",
    )  # fmt: skip
    min_confidence = Range(
        0.0, 1.0, 0.0, label="Minimum confidence", ovito_group="Labels", ovito_unit="percent", **SHOWN,
        desc="particles with a less probable class become Other",
    )  # fmt: skip

    color_by = Enum(
        "structure", list(COLORS), label="Color particles by", ovito_group="Output", **SHOWN,
        desc="nothing: the colors of the particles stay as they are",
    )  # fmt: skip
    color_end = Range(
        low=0.0, value=0.3, exclude_low=True, label="Color scale ends at (bit)", ovito_group="Output", **SHOWN,
        desc="mutual information, or rejection uncertainty, that gets the last color of the scale",
    )  # fmt: skip
    probabilities = ClassNames(
        "", label="Probabilities of", ovito_group="Output", ovito_placeholder="FCC, HCP", **SHOWN,
        desc="classes whose probabilities are put out, 0 where a class is none of the five most probable ones; "
        "or 'all', of each (432 bytes a particle)",
    )  # fmt: skip
    voxel_grid = Bool(
        True, label="Voxel grid", ovito_group="Output", **SHOWN,
        desc="put out the map as voxel grid, for slices and isosurfaces",
    )  # fmt: skip
    box_table = Bool(
        False,
        label="Table of boxes",
        ovito_group="Output",
        **SHOWN,
        desc="put out a table with one row a box",
    )
    whole_structure = Bool(
        False, label="Classify the whole structure", ovito_group="Output", **SHOWN,
        desc="put out attributes with the class of the structure as a whole",
    )  # fmt: skip
    grid_vis = OvitoObject(VoxelGridVis, enabled=False, title="ARISE map")
    _results = Instance(ResultStore, (), allow_none=False, transient=True)

    # --- what OVITO calls -----------------------------------------------------------------------------------

    def modify(self, data: DataCollection, **_: Any) -> Steps:
        """Add the outputs to a data collection; yields texts and shares of the work done."""
        model = self._model()
        rule, shown = self._rule(model), self._shown(model)
        nothing = nothing_in(data, self.only_selected)
        self._results.without = nothing
        if nothing:
            yield f"ARISE: {nothing}"
            settings = self._map_settings(None).resolved(several=model.knows_when_sure)
            sharp = settings.resolution == "sharp"
            outputs.write_nothing(data, model, rule, shown, nothing, sharp=sharp)
            return
        atoms = self._atoms(data)
        yield from (f"ARISE: {note}" for note in atoms.material.notes)
        sampling = self._sampling()
        key = self._key(atoms, model)
        result = self._results.get(key)
        if result is None:
            yield "ARISE: describing and classifying boxes"
            job = arise.map_steps(
                atoms.material, model, self._map_settings(atoms.material), sampling,
                probabilities=self._kept(model),
            )  # fmt: skip
            found = yield from job  # closed with this generator, and its threads with it
            result = Result(Recognition.of_map(found.moved(atoms.origin), means=False))
            self._results.put(key, result)
        if self.whole_structure and result.whole is None:
            yield "ARISE: classifying the whole structure"
            whole = RecognitionSettings(
                mode="whole", map=MapSettings(min_atoms=self.min_atoms), sampling=sampling
            )
            result.whole = yield from recognise_steps(atoms.material, model, whole)
        rates = model.error_rates(rule.reject_threshold)
        notes = atoms.material.notes
        outputs.write(data, result, atoms.selected, rule, shown, self.grid_vis, notes, rates)

    def get_pipeline_short_info(self, *_: Any, **__: Any) -> str:
        """What OVITO Pro writes beside the modifier in its list: what the reject threshold stands for."""
        try:
            model = self._model()
            threshold = self._rule(model).reject_threshold
        except (OSError, TypeError, ValueError):
            return ""  # the evaluation says why
        if threshold is None:
            return "rejects nothing"
        said = ", ".join(outputs.said_rates(model.error_rates(threshold)))
        return f"rejects from {threshold:.3g}: {said or 'rate of errors not known'}"

    def _kept(self, model: arise.Model) -> KeptProbabilities:
        """What is kept of each box: all probabilities where all are shown."""
        return "all" if len(self._shown(model).probabilities) == len(model.classes) else "top"

    def _key(self, atoms: Analysed, model: arise.Model) -> Hashable:
        return super()._key(atoms, model), self._kept(model)

    def map_of(self, atoms: Analysed) -> arise.StridedMap | None:
        """The map of these particles with the parameters as they are, if it is kept."""
        kept = self._results.get(self._key(atoms, self._model()))
        return None if kept is None else kept.local.field

    # --- for scripts ----------------------------------------------------------------------------------------

    @property
    def strided_map(self) -> arise.StridedMap:
        """The map of the frame evaluated last, to save with `to_netcdf` or to read off at points.

        Raises:
            RuntimeError: no frame was evaluated, or nothing was analysed in the last one.
        """
        if self._results.without:
            raise WorkError(f"the frame evaluated last has no map: {self._results.without}")
        last: Result | None = self._results.last()
        if last is None:
            raise WorkError("no frame was evaluated yet: call `pipeline.compute()` first")
        assert last.local.field is not None
        return last.local.field

    # --- parameters to settings -----------------------------------------------------------------------------

    def _check(self) -> None:
        super()._check()
        model = self._model()
        self._rule(model)
        self._shown(model)

    def _rule(self, model: arise.Model) -> Rule:
        considered = class_indices(self.classes, model.class_info, "classes")
        threshold = {CARD: model.threshold("card"), NEVER: None}
        given = self.reject_threshold
        return Rule(
            reject_threshold=threshold[given] if given in threshold else float(given),
            min_confidence=self.min_confidence,
            considered=None if len(considered) in (0, len(model.classes)) else considered,
        )

    def _shown(self, model: arise.Model) -> outputs.Shown:
        return outputs.Shown(
            color_by=self.color_by,
            color_end=self.color_end,
            probabilities=class_indices(self.probabilities, model.class_info, "probabilities"),
            voxel_grid=self.voxel_grid,
            box_table=self.box_table,
            whole_structure=self.whole_structure,
        )
