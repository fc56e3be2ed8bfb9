"""A row of a trajectory's results: what is kept of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.groups import REACH, connected_groups
from arise_core.geometry.material import Material
from arise_core.recognition.result import Recognition
from arise_core.recognition.shares import shares_of
from arise_core.trajectories.kept import KeptMap

#: Quantiles of the mutual information of the atoms that are kept.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Atoms whose places are kept, by which a frame is known again.
PROBES = 8
#: Labels of atoms beside the numbers of the classes.
NO_LABEL, REJECTED_LABEL = -1, -2


@dataclass(frozen=True)
class Row:
    """What is kept of a frame."""

    row: int  # its place in the store
    file: int
    number: int
    error: str = ""  # why there is nothing else
    step: int = -1  # time step as the file says
    n_atoms: int = 0
    left_out: int = 0  # of them, sites without mass
    share: FloatArray | None = None  # (n_classes + 2,), as `shares_of`
    share_low: FloatArray | None = None
    share_high: FloatArray | None = None
    mutual_information: float = np.nan  # mean over atoms, bit
    quantiles: FloatArray | None = None  # of it over atoms, (5,), bit
    largest: IntArray | None = None  # (n_classes,), atoms in the largest connected group of each class
    probe: NDArray[np.float32] | None = None  # (PROBES, 3), Å, where some atoms are; NaN of those left out
    reach: float = np.nan  # distance up to which atoms of a class are in one group, Å
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    label: NDArray[np.int16] | None = None  # (n_atoms,), class, -1 no prediction, -2 rejected
    doubt: NDArray[np.float16] | None = None  # (n_atoms,), mutual information, bit
    group: NDArray[np.int32] | None = None  # (n_atoms,), connected group of its class, -1 none
    map: KeptMap | None = None  # of a frame that was mapped

    @classmethod
    def of(
        cls,
        result: Recognition,
        material: Material,
        row: int,
        file: int,
        number: int,
        *,
        atoms: bool = False,
        maps: bool = False,
        step: int = -1,
        seconds: float = 0.0,
        places: FloatArray | None = None,
    ) -> Row:
        """What is kept of a frame that was recognised.

        Args:
            result: what it is.
            material: the frame.
            row, file, number: its place in the store, its file, its number there.
            atoms: keep values at atoms too.
            maps: keep the map, if there is one.
            step: time step, -1 unknown.
            seconds: that it took.
            places: (n_atoms,), Å, of all its atoms as the file has them; None: those of `material`.
        """
        shares = shares_of(result)
        groups = connected_groups(material, result.atom_class)
        doubt = result.atoms.mutual_information
        known = doubt[np.isfinite(doubt)]
        at_atoms: dict[str, Any] = {}
        if atoms:
            label = np.where(result.atom_rejected, REJECTED_LABEL, result.atoms.index)
            at_atoms = {
                "label": material.spread(label.astype(np.int16), NO_LABEL),
                "doubt": material.spread(doubt.astype(np.float16), np.nan),
                "group": material.spread(groups.astype(np.int32), -1),
            }
        n_atoms = len(material) if material.kept is None else len(material.kept)
        probe = material.spread(material.structure.positions, np.nan)[probed(n_atoms)].astype(np.float32)
        if places is not None:
            probe = np.where(np.isnan(probe), np.float32(np.nan), places[probed(n_atoms)].astype(np.float32))
        return cls(
            row, file, number, step=step, n_atoms=n_atoms, left_out=n_atoms - len(material), probe=probe,
            share=shares.share, share_low=shares.low, share_high=shares.high,
            mutual_information=float(known.mean()), quantiles=np.quantile(known, QUANTILES),
            largest=_largest(result, groups), reach=REACH * material.spacing, seconds=seconds, notes=material.notes,
            map=KeptMap.of(result.field) if maps and result.field is not None else None, **at_atoms,
        )  # fmt: skip


def probed(n_atoms: int) -> IntArray:
    """Which atoms of a frame have their places kept, evenly over their order, (PROBES,)."""
    return np.arange(PROBES) * max(n_atoms - 1, 0) // (PROBES - 1)


def _largest(result: Recognition, groups: IntArray) -> IntArray:
    """Atoms in the largest connected group of each class, (n_classes,)."""
    out = np.zeros(len(result.classes), dtype=np.int64)
    in_group = groups >= 0
    sizes = np.bincount(groups[in_group])
    first = np.full(len(sizes), -1)
    first[groups[in_group]] = result.atom_class[in_group]
    np.maximum.at(out, first, sizes)
    return out
