"""The modifier "ARISE: identify crystal structures": parameters, cache, and the way from input to outputs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ovito.data import DataCollection
from ovito.pipeline import ModifierInterface
from ovito.traits import OvitoObject
from ovito.vis import VoxelGridVis
from traits.api import Bool, Enum, Instance, Range, Str

import arise_core as arise
from arise_core.crystals.species import parse_types
from arise_core.engine.grid import AUTOMATIC_STRIDE
from arise_core.errors import WorkError
from arise_core.geometry.material import Material
from arise_core.model.prediction import Rule
from arise_core.model.zoo import shared_model
from arise_core.recognition.result import Recognition, recognise_steps
from arise_core.settings import (
    DEFAULT_MODEL,
    MAP_TOLERANCE,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
    options_of,
)
from ovito_arise import outputs
from ovito_arise.cache import Result, ResultStore, fingerprint
from ovito_arise.convert import to_atoms
from ovito_arise.parameters import (
    CARD,
    NEVER,
    ClassNames,
    Device,
    RejectThreshold,
    TypesToElements,
    class_indices,
    refuse_unknown,
    traits_of,
)

__all__ = ["AriseModifier"]

#: What OVITO shows while it waits: texts and shares of the work done.
Steps = Generator[float | str, None, None]

#: Of parameters that change what is shown, not what is computed.
SHOWN: dict[str, Any] = {"ovito_invalidate_cache": False}
COLORS = ("structure", "mutual information", "confidence", "nothing")


class AriseModifier(ModifierInterface):
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

    model = Str(
        DEFAULT_MODEL, label="Model", ovito_group="Model", ovito_placeholder="name or path of a model file",
        desc="model of the zoo, or a model file",
    )  # fmt: skip
    device = Device("cpu", label="Device", ovito_group="Model", desc="where the network runs: cpu, cuda, ...")

    automatic_box = Bool(
        False, label="Automatic box size and stride", ovito_group="Boxes",
        desc="smallest box with 100 atoms in the median box, and a stride of a quarter of it; "
        "found for every frame by itself",
    )  # fmt: skip
    # Traits of all settings of maps and of sampling, with the defaults of maps. For type checkers, what they hold:
    box_size: float
    stride: float
    padding: str
    edges: str
    between: str
    min_atoms: int
    min_atoms_per_species: int
    memory_limit: float
    passes: int
    tolerance: float
    seed: int
    locals().update(traits_of(MapSettings, "Boxes"))
    locals().update(traits_of(SamplingSettings, "Uncertainty", tolerance=MAP_TOLERANCE))

    only_selected = Bool(
        False, label="Use only selected particles", ovito_group="Input",
        desc="the others are treated as if they were not there, and become Other",
    )  # fmt: skip
    types_to_elements = TypesToElements(
        "", label="Types to elements", ovito_group="Input", ovito_placeholder="1: Cu, 2: Ni",
        desc="element of particle types whose name and mass do not tell it; '*' stands for all other types",
    )  # fmt: skip

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
        desc="mutual information that gets the last color of the scale",
    )  # fmt: skip
    probabilities = ClassNames(
        "", label="Probabilities of", ovito_group="Output", ovito_placeholder="FCC, HCP", **SHOWN,
        desc="classes whose probabilities are put out, or 'all' (432 bytes a particle)",
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

    def __init__(self, **parameters: Any) -> None:
        refuse_unknown(self, parameters)
        super().__init__(**parameters)
        if parameters:
            self._check()

    # --- what OVITO calls -----------------------------------------------------------------------------------

    def modify(self, data: DataCollection, **_: Any) -> Steps:
        """Add the outputs to a data collection; yields texts and shares of the work done."""
        atoms = to_atoms(data, parse_types(self.types_to_elements), self.only_selected)
        yield from (f"ARISE: {note}" for note in atoms.material.notes)
        model = self._model()
        rule, shown = self._rule(model), self._shown(model)
        sampling = self._sampling()
        key = (fingerprint(atoms.material.structure), atoms.origin.tobytes(), model.sha256, self.device,
               self.automatic_box, self._map_settings(None), sampling)  # fmt: skip
        result = self._results.get(key)
        if result is None:
            yield "ARISE: describing and classifying boxes"
            job = arise.map_steps(atoms.material, model, self._map_settings(atoms.material), sampling)
            found = yield from job  # closed with this generator, and its threads with it
            result = Result(Recognition.of_map(found.moved(atoms.origin), means=False))
            self._results.put(key, result)
        if self.whole_structure and result.whole is None:
            yield "ARISE: classifying the whole structure"
            whole = RecognitionSettings(
                mode="whole", map=MapSettings(min_atoms=self.min_atoms), sampling=sampling
            )
            result.whole = yield from recognise_steps(atoms.material, model, whole)
        outputs.write(data, result, atoms.selected, rule, shown, self.grid_vis, atoms.material.notes)

    # --- for scripts ----------------------------------------------------------------------------------------

    @property
    def strided_map(self) -> arise.StridedMap:
        """The map of the frame evaluated last, to save with `to_netcdf` or to read off at points.

        Raises:
            RuntimeError: no frame was evaluated.
        """
        last = self._results.last()
        if last is None:
            raise WorkError("no frame was evaluated yet: call `pipeline.compute()` first")
        assert last.local.field is not None
        return last.local.field

    # --- parameters to settings -----------------------------------------------------------------------------

    def _check(self) -> None:
        """Refuse parameters that do not fit each other or name nothing, before there is any input."""
        self._map_settings(None)
        self._sampling()
        model = self._model()
        self._rule(model)
        self._shown(model)

    def _model(self) -> arise.Model:
        return shared_model(self.model, self.device)

    def _map_settings(self, material: Material | None) -> MapSettings:
        given = {name: getattr(self, name) for name in options_of(MapSettings)}
        if self.automatic_box:
            del given["box_size"], given["stride"]
            if material is not None:
                size = arise.automatic_box_size(material)
                given |= {"box_size": size, "stride": AUTOMATIC_STRIDE * size}
        return MapSettings(**given)

    def _sampling(self) -> SamplingSettings:
        given = {name: getattr(self, name) for name in options_of(SamplingSettings)}
        return SamplingSettings(**given)

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
