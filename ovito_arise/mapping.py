"""What the modifiers that lay boxes over a structure share: parameters, checks, and the way to the core's settings."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from typing import Any

from ovito.data import DataCollection
from ovito.pipeline import ModifierInterface
from traits.api import Bool, Str

import arise_core as arise
from arise_core.crystals.species import parse_types
from arise_core.engine.grid import AUTOMATIC_STRIDE
from arise_core.geometry.material import Material
from arise_core.model.zoo import shared_model
from arise_core.settings import DEFAULT_MODEL, MAP_TOLERANCE, MapSettings, SamplingSettings, options_of
from ovito_arise.cache import fingerprint
from ovito_arise.convert import Analysed, to_atoms
from ovito_arise.parameters import Device, TypesToElements, plain, refuse_unknown, traits_of

#: What OVITO shows while it waits: texts and shares of the work done.
Steps = Generator[float | str, None, None]

#: Of parameters that change what is shown, not what is computed.
SHOWN: dict[str, Any] = {"ovito_invalidate_cache": False}


class MapModifier(ModifierInterface):
    """A modifier that begins with the boxes of a map."""

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
    thin: float
    padding: str
    edges: str
    between: str
    min_atoms: int
    min_atoms_per_species: int
    memory_limit: float
    passes: int
    tolerance: str
    seed: int
    locals().update(traits_of(MapSettings, "Boxes"))
    locals().update(traits_of(SamplingSettings, "Uncertainty", tolerance=MAP_TOLERANCE))

    only_selected = Bool(
        False, label="Use only selected particles", ovito_group="Input",
        desc="the others are treated as if they were not there, and are Other or in no cluster",
    )  # fmt: skip
    types_to_elements = TypesToElements(
        "", label="Types to elements", ovito_group="Input", ovito_placeholder="1: Cu, 2: Ni",
        desc="element of particle types whose name and mass do not tell it; '*' stands for all other types",
    )  # fmt: skip

    def __init__(self, **parameters: Any) -> None:
        refuse_unknown(self, parameters)
        super().__init__(**parameters)
        if parameters:
            self._check()

    def _check(self) -> None:
        """Refuse parameters that do not fit each other or name nothing, before there is any input."""
        self._map_settings(None)
        self._sampling()
        self._model()

    def _atoms(self, data: DataCollection) -> Analysed:
        return to_atoms(data, parse_types(self.types_to_elements), self.only_selected)

    def _key(self, atoms: Analysed, model: arise.Model) -> Hashable:
        """All that a map of these particles depends on."""
        return (
            fingerprint(atoms.material.structure), atoms.origin.tobytes(), model.sha256, self.device,
            self.automatic_box, self._map_settings(None), self._sampling(),
        )  # fmt: skip

    def _model(self) -> arise.Model:
        return shared_model(self.model, self.device)

    def _map_settings(self, material: Material | None) -> MapSettings:
        given = {name: getattr(self, name) for name in options_of(MapSettings)}
        if self.automatic_box:
            given["resolution"] = "single" if given["resolution"] == "auto" else given["resolution"]
            del given["box_size"], given["stride"]
            if material is not None:
                size = arise.automatic_box_size(material, self.thin)
                given |= {"box_size": size, "stride": AUTOMATIC_STRIDE * size}
        return MapSettings(**given)

    def _sampling(self) -> SamplingSettings:
        given = {name: getattr(self, name) for name in options_of(SamplingSettings)}
        return SamplingSettings(**given | {"tolerance": plain(self.tolerance)})
