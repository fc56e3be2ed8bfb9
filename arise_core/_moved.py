"""Module paths of version 0.1.0: they import for one release, warn, and hand out what has moved. Remove with 0.3.

Nothing in this package uses them. A finder at the end of Python's import path makes a module of an old name when
somebody asks for it, so that no file bears one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Old module -> modules that hold now what it held.
MODULES: dict[str, tuple[str, ...]] = {
    "arise_core._engine": ("arise_core.engine.loops",),
    "arise_core._kernels": (
        "arise_core.geometry.loops",
        "arise_core.descriptor.loops",
        "arise_core.recognition.loops",
    ),
    "arise_core.benchmark.commands": ("arise_cli.benchmark",),
    "arise_core.boxes": ("arise_core.engine.grid",),
    "arise_core.builders": ("arise_core.geometry.builders",),
    "arise_core.card": ("arise_core.model.card", "arise_core.crystals.naming"),
    "arise_core.cli": ("arise_cli.main", "arise_cli.console"),
    "arise_core.compilation": ("arise_core.runtime.compilation",),
    "arise_core.dscribe_backend": ("arise_core.descriptor.dscribe_reference",),
    "arise_core.files": ("arise_core.runtime.files",),
    "arise_core.lengthscale": ("arise_core.descriptor.lengthscale",),
    "arise_core.maps": ("arise_core.recognition.maps",),
    "arise_core.neighbors": ("arise_core.geometry.neighbors",),
    "arise_core.network": (
        "arise_core.model.zoo",
        "arise_core.model.model",
        "arise_core.model.runner",
        "arise_core.errors",
    ),
    "arise_core.overview": ("arise_core.recognition.result", "arise_core.settings"),
    "arise_core.prediction": (
        "arise_core.model.prediction",
        "arise_core.model.classes",
        "arise_core.settings",
    ),
    "arise_core.prototypes": (
        "arise_core.crystals.table",
        "arise_core.crystals.ideal",
    ),
    "arise_core.recognise": (
        "arise_core.recognition.whole",
        "arise_core.recognition.maps",
        "arise_core.settings",
    ),
    "arise_core.sampling": ("arise_core.model.dropout",),
    "arise_core.soap": (
        "arise_core.descriptor.soap",
        "arise_core.descriptor.radial",
        "arise_core.descriptor.covariance",
    ),
    "arise_core.strided": (
        "arise_core.engine.boxes",
        "arise_core.engine.tile",
        "arise_core.engine.context",
        "arise_core.engine.fill",
    ),
    "arise_core.structure": (
        "arise_core.geometry.structure",
        "arise_core.geometry.cell",
        "arise_core.geometry.arrays",
    ),
    "arise_core.threads": ("arise_core.runtime.threads",),
    "arise_core.training.commands": ("arise_cli.training",),
    "arise_core.training.crystals": ("arise_core.crystals.crystal",),
    "arise_core.training.defaults": ("arise_core.settings",),
    "arise_core.training.defects": ("arise_core.training.samples.defects",),
    "arise_core.training.extend": ("arise_core.training.edit_classes",),
    "arise_core.training.extend_report": ("arise_core.training.edit_report",),
    "arise_core.training.mlp": ("arise_core.model.network",),
    "arise_core.training.own": (
        "arise_core.training.own_crystals",
        "arise_core.crystals.standard",
        "arise_core.crystals.naming",
        "arise_core.crystals.symmetry",
    ),
    "arise_core.training.unknown": ("arise_core.training.samples.other_crystals",),
    "arise_core.window": (
        "arise_core.geometry.support",
        "arise_core.geometry.material",
        "arise_core.descriptor.covariance",
    ),
    "arise_core.workers": ("arise_core.runtime.workers",),
    "arise_core.zoo": ("arise_core.runtime.files",),
    "ase_arise.commands": ("arise_cli.recognition", "arise_cli.screening"),
    "ase_arise.comparison": ("ase_arise.representations", "arise_cli.figures"),
    "ase_arise.defaults": ("arise_core.settings",),
    "ase_arise.entries": ("ase_arise.screening.sources",),
    "ase_arise.labels": ("arise_core.crystals.naming", "arise_core.model.classes"),
    "ase_arise.output": ("arise_cli.console",),
    "ovito_arise.baselines": ("ovito_arise.benchmark_methods",),
    "ovito_arise.commands": ("arise_cli.demo",),
    "ovito_arise.overlay": ("ovito_arise.legend",),
    "ovito_arise.pictures": ("ovito_arise.demo.pictures",),
    "ovito_arise.results": ("ovito_arise.cache",),
}


def _settings(**options: Any) -> Any:
    from arise_core.settings import RecognitionSettings

    return RecognitionSettings.of(options)


def _check_overlaps(structure: Any, where: str = "") -> None:
    from arise_core.geometry.material import Material

    Material.of(structure).check_overlaps(where)


def _body(structure: Any) -> Any:
    from arise_core.geometry.material import Material

    return Material.of(structure).body


def _spacing(structure: Any) -> float:
    from arise_core.geometry.material import Material

    return Material.of(structure).spacing


def _loose_spacing(structure: Any, spacing: float) -> float:
    from arise_core.geometry.material import Material

    return Material.of(structure).loose_spacing


def _short_labels(classes: Any) -> tuple[str, ...]:
    from arise_core.model.classes import ClassTable

    return ClassTable.of(classes).short


def _class_index(classes: Any, name: str) -> int:
    from arise_core.model.classes import ClassTable

    return ClassTable.of(classes).find(name)


#: What has another name now: (new module, new name), or what stands in for it.
RENAMED: dict[tuple[str, str], tuple[str, str] | Callable[..., Any]] = {
    ("arise_core.network", "drain"): ("arise_core.progress", "run"),
    ("arise_core.overview", "Overview"): ("arise_core.recognition.result", "Recognition"),
    ("arise_core.overview", "OverviewSettings"): _settings,
    ("arise_core.overview", "overview"): ("arise_core.recognition.result", "recognise"),
    ("arise_core.recognise", "check_overlaps"): _check_overlaps,
    ("arise_core.window", "atomic_spacing"): _spacing,
    ("arise_core.window", "without_vacuum"): _body,
    ("arise_core.window", "loose_spacing"): _loose_spacing,
    ("ase_arise.labels", "atom_labels"): lambda result: result.atom_labels,
    ("ase_arise.labels", "class_index"): _class_index,
    ("ase_arise.labels", "fractions"): lambda result: result.fractions,
    ("ase_arise.labels", "label"): lambda result: result.label,
    ("ase_arise.labels", "record"): lambda result: result.record(),
    ("ase_arise.labels", "short_labels"): _short_labels,
}


class _Moved(ModuleType):
    """An old module: its names are looked up where they are now."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":  # what `from … import *` takes
            return [n for n in dir(self) if not n.startswith("_")]
        if name.startswith("__"):
            raise AttributeError(name)
        found = RENAMED.get((self.__name__, name))
        if callable(found):
            return found
        places = (found[0],) if found else MODULES[self.__name__]
        wanted = found[1] if found else name
        for place in places:
            module = import_module(place)
            if hasattr(module, wanted):
                return getattr(module, wanted)
        raise AttributeError(
            f"module {self.__name__!r} of version 0.1 had a name {name!r} that is gone; see docs/architecture.md"
        )

    def __dir__(self) -> list[str]:
        """Names of the modules that hold now what it held."""
        found = {name for place in MODULES[self.__name__] for name in vars(import_module(place))}
        return sorted(found | {name for module, name in RENAMED if module == self.__name__})

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the public function of this name does: an old module must not hide it (`arise.prototypes()`)."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


class _Finder(MetaPathFinder, Loader):
    """Makes modules of old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an old module; None for all others."""
        return ModuleSpec(fullname, self) if fullname in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that looks names up when they are asked for."""
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Say that the name is old."""
        places = " and ".join(MODULES[module.__name__])
        warnings.warn(
            f"{module.__name__} is now {places}; this name goes with 0.3 (docs/architecture.md)",
            DeprecationWarning,
            stacklevel=2,
        )


def install() -> None:
    """Let old module paths import; once a process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
