"""An ASE calculator that adds what ARISE says of a structure to the results of any other calculator."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    all_changes,
    all_properties,
    compare_atoms,
)
from ase.outputs import Properties

import arise_core as arise
from arise_core.crystals.naming import NONE
from arise_core.crystals.species import Types, parse_types
from arise_core.errors import InputError, InputTypeError, check_type, shown
from arise_core.recognition.result import Recognition, recognise
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings, check_number
from ase_arise.begins import place_of_cell
from ase_arise.convert import Device, ModelLike, as_model, to_material

#: Results for the structure; per atom, in maps only (plural, as ASE's `energies` beside `energy`).
STRUCTURE_PROPERTIES = (
    "arise_label", "arise_class", "arise_confidence", "arise_probabilities", "arise_mutual_information",
    "arise_predictive_entropy", "arise_reject_score", "arise_rejection_uncertainty", "arise_rejected", "arise_mode",
    "arise_fractions", "arise_notes",
)  # fmt: skip
ATOM_PROPERTIES = (
    "arise_labels",
    "arise_confidences",
    "arise_mutual_informations",
    "arise_rejection_uncertainties",
    "arise_rejected_atoms",
)
ARISE_PROPERTIES = (*STRUCTURE_PROPERTIES, *ATOM_PROPERTIES)
#: What a recognition does not depend on.
IGNORED = frozenset({"initial_charges", "initial_magmoms"})


class AriseCalculator(Calculator):
    """Wraps a calculator: its results pass through unchanged, those of ARISE stand beside them.

    ARISE runs when one of its properties is asked for (`calc.get_property("arise_label", atoms)`), and on
    every `interval`-th new configuration that the base is asked about, the first one included. What it found
    is kept until positions, numbers, cell or pbc change. Names of the properties: `ARISE_PROPERTIES`.

    Args:
        base: any ASE calculator; without one, asking for an energy raises `PropertyNotImplementedError`.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        interval: run ARISE on every such configuration without being asked; 0: only when asked.
        types: elements by type or name, see `from_atoms`.
        **options: of `RecognitionSettings.of`: mode, box_size, stride, passes, seed, ...

    Raises:
        TypeError, ValueError: an argument that is refused, or no such model.
    """

    name = "arise"
    default_parameters = {  # noqa: RUF012 - ASE's way
        "model": DEFAULT_MODEL,
        "device": None,
        "interval": 0,
        "types": None,
        **RecognitionSettings.defaults(),
    }

    def __init__(
        self,
        base: Calculator | None = None,
        *,
        model: ModelLike = DEFAULT_MODEL,
        device: Device = None,
        interval: int = 0,
        types: Types = None,
        atoms: Atoms | None = None,
        **options: Any,
    ) -> None:
        if base is not None and (isinstance(base, type) or not hasattr(base, "get_property")):
            raise InputTypeError(f"`base` must be an ASE calculator, such as EMT(), got {shown(base)}")
        check_type("atoms", atoms, (Atoms, type(None)), "an ase.Atoms object")
        self.base = base
        self._model: arise.Model | None = None
        self._found: dict[str, Any] = {}
        self._found_for: Atoms | None = None
        self.recognition: Recognition | None = None  # the last one, with its map
        self.configurations = 0  # new ones that the base was asked about
        super().__init__(  # type: ignore[no-untyped-call]
            atoms=atoms, model=model, device=device, interval=interval, types=types, **options
        )

    @property
    def overview(self) -> Recognition | None:
        """The last recognition, under its name of 0.1."""
        return self.recognition

    @property
    def implemented_properties(self) -> list[str]:  # type: ignore[override]  # ASE only reads it
        """The base's and ARISE's."""
        own = [] if self.base is None else list(self.base.implemented_properties)
        return [*own, *ARISE_PROPERTIES]

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Change parameters; what was found with the old ones is forgotten.

        Raises:
            TypeError, ValueError: an argument that is refused, or no such model.
        """
        parameters = {**self.parameters, **kwargs}
        interval, model, device = (parameters.pop(name) for name in ("interval", "model", "device"))
        types = parse_types(parameters.pop("types"))
        check_number("interval", interval, whole=True, low=0)
        settings = RecognitionSettings.of(parameters)
        again = self._model is None or not {"model", "device"}.isdisjoint(kwargs)
        loaded = as_model(model, device) if again else self._model
        if isinstance(model, arise.Model):  # keep what can be written to a file
            kwargs["model"] = str(model.path)
            if device is None and model.device.type != "cpu":
                kwargs["device"] = str(model.device)
        elif "model" in kwargs:
            kwargs["model"] = str(model)
        changed: dict[str, Any] = super().set(**kwargs)  # type: ignore[no-untyped-call]
        self._settings, self._model, self._types = settings, loaded, types
        if changed.keys() - {"interval"}:
            self._forget()
        return changed

    def reset(self) -> None:
        """Forget all results."""
        super().reset()  # type: ignore[no-untyped-call]
        self._forget()

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What changed since the base's last calculation, or ARISE's if there is no base."""
        if self.base is not None:
            return list(self.base.check_state(atoms, tol=tol))
        return self._changes(atoms, tol)

    def calculation_required(self, atoms: Atoms, properties: list[str]) -> bool:
        """Whether one of the properties is not known for these atoms."""
        own = [p for p in properties if p in ARISE_PROPERTIES]
        rest = [p for p in properties if p not in ARISE_PROPERTIES]
        if own and (self._changes(atoms) or any(p not in self._found for p in own)):
            return True
        return bool(rest) and (self.base is None or bool(self.base.calculation_required(atoms, rest)))

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """A property of the base or of ARISE; None if it is not known and must not be calculated.

        Raises:
            PropertyNotImplementedError: neither has it, or a property of atoms in mode "whole".
        """
        if name not in self.implemented_properties:
            raise PropertyNotImplementedError(f"{name} property not implemented")
        atoms = self._given(atoms)
        if allow_calculation:
            self.calculate(atoms, [name], self.check_state(atoms))
        elif name not in ARISE_PROPERTIES:
            assert self.base is not None
            return self.base.get_property(name, atoms, allow_calculation=False)
        elif self._changes(atoms):
            return None
        source = self._found if name in ARISE_PROPERTIES else self.results
        if name not in source:
            if not allow_calculation:
                return None
            raise PropertyNotImplementedError(
                f"{name} not present in this calculation (mode {self._found.get('arise_mode')!r})"
            )
        value = source[name]
        return value.copy() if isinstance(value, np.ndarray | dict) else value

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | tuple[str, ...] = ("energy",),
        system_changes: list[str] = all_changes,
    ) -> None:
        """Let the base calculate its properties, and ARISE its own if asked or due."""
        atoms = self._given(atoms)
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        wanted = [p for p in properties if p not in ARISE_PROPERTIES]
        asked = len(wanted) < len(properties)
        values: dict[str, Any] = {}
        if self.base is not None:
            new = bool(self.base.check_state(atoms))
            values = {p: self.base.get_property(p, atoms) for p in wanted}
            if wanted and new:
                interval = self.parameters["interval"]
                asked |= interval > 0 and self.configurations % interval == 0
                self.configurations += 1
            if not self.base.check_state(atoms):
                values = {**self.base.results, **values}
        elif wanted:
            raise PropertyNotImplementedError(f"{wanted[0]} property not implemented: there is no base")
        if asked and (self._changes(atoms) or not self._found):
            self._recognise(atoms)
        if not self._changes(atoms):
            values |= self._found
        self.results = values

    def export_properties(self) -> Properties:
        """Results that ASE has names for."""
        return Properties({k: v for k, v in self.results.items() if k in all_properties})

    def todict(self, skip_default: bool = True) -> dict[str, Any]:
        """Parameters that differ from the defaults, and the base's, for trajectories and databases."""
        out: dict[str, Any] = super().todict(skip_default)  # type: ignore[no-untyped-call]
        if self.base is not None:
            todict = getattr(self.base, "todict", dict)
            out["base"] = {"name": getattr(self.base, "name", type(self.base).__name__), **todict()}
        return out

    def _given(self, atoms: Atoms | None) -> Atoms:
        """The atoms, or those of the last calculation."""
        found = self.atoms if atoms is None else atoms
        if found is None:
            raise InputError("`atoms` must be given: nothing was calculated yet")
        return found

    def _changes(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What changed since ARISE looked at the atoms."""
        seen = self._found_for
        changes = list(compare_atoms(seen, atoms, tol=tol, excluded_properties=set(IGNORED)))
        if seen is not None and not np.array_equal(place_of_cell(seen), place_of_cell(atoms)):
            changes.append("cell")  # ASE does not look where it begins; boxes are laid from there
        return changes

    def _forget(self) -> None:
        self._found, self._found_for, self.recognition = {}, None, None

    def _recognise(self, atoms: Atoms) -> None:
        self._forget()
        if self._model is None:  # a copy or a calculator that was unpickled
            self._model = as_model(self.parameters["model"], self.parameters["device"])
        material = to_material(atoms, types=self._types)
        result = recognise(material, self._model, self._settings)
        found = {f"arise_{key}": value for key, value in result.record().items()}
        found["arise_probabilities"] = result.probabilities
        found["arise_fractions"] = result.fractions
        found["arise_notes"] = "; ".join(material.notes)
        if result.mode == "local":
            found["arise_labels"] = material.spread(result.atom_labels, NONE)
            found["arise_confidences"] = material.spread(result.atoms.confidence, np.nan)
            found["arise_mutual_informations"] = material.spread(result.atoms.mutual_information, np.nan)
            found["arise_rejection_uncertainties"] = material.spread(
                result.atom_rejection_uncertainty, np.nan
            )
            found["arise_rejected_atoms"] = material.spread(result.atom_rejected, False)
        self._found, self._found_for, self.recognition = found, atoms.copy(), result

    def __getstate__(self) -> dict[str, Any]:
        # A network is not pickled; a copy loads it again, from the path in `parameters`, when it needs it.
        return {**self.__dict__, "_model": None}
