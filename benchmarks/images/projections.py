"""Which layers and crystals, seen along an axis, a model takes for a flat layer.

    python -m benchmarks.images.projections > arise_images/patterns.csv

Every class of the model that is a layer is seen along its normal, every crystal along the axes of its conventional cell
with indices up to 1. Columns of atoms become points; columns whose brightness (sum of Z^1.7 along the column) differs
become different elements. What the model names, and does not reject, as a flat layer is listed: an image cannot tell
it from that layer.
"""

from __future__ import annotations

import sys
import warnings
from itertools import product
from math import gcd

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.crystals.ideal import conventional_cell
from arise_core.crystals.table import Prototype
from arise_core.geometry.builders import nearest_neighbour_distance
from arise_core.geometry.structure import Structure
from benchmarks.images.samples import along, columns_of

#: Columns are of a kind if their brightness differs by less than this share.
ALIKE = 0.15
#: Edge of a projected patch, in nearest-neighbour distances of the projection.
EDGE = 14
#: Passes of the network: names need few.
PASSES = 50


def axes() -> list[tuple[int, int, int]]:
    """Directions with indices up to 1, one of each opposite pair."""
    found = [a for a in product((1, 0, -1), repeat=3) if any(a) and gcd(*a) == 1]
    return [a for a in found if next(k for k in a if k) > 0]


def projected(crystal: Structure, direction: np.ndarray, period: float) -> Structure | None:
    """Columns of a crystal along a direction as atoms of a flat layer; None where there are more than three kinds."""
    half = 0.5 * EDGE * nearest_neighbour_distance(crystal)
    corner = np.array([half, half, period / 2])
    centre, bright, _ = columns_of(along(crystal, direction, corner, 0.0, np.random.default_rng(0)))
    levels = fcluster(linkage(np.log(bright)[:, None], "average"), np.log(1 + ALIKE), "distance")
    if levels.max() > 3:
        return None
    inside = np.abs(centre).max(axis=1) < half - nearest_neighbour_distance(crystal)
    centre, levels = centre[inside], levels[inside]
    near = float(np.median(cKDTree(centre).query(centre, k=2)[0][:, 1]))
    small = np.abs(centre).max(axis=1) < EDGE / 2 * near
    return Structure(
        np.column_stack([centre[small], np.zeros(small.sum())]), np.array([6, 18, 36])[levels[small] - 1]
    )


def views(prototype: Prototype) -> list[tuple[str, Structure]]:
    """Axes along which a prototype is seen, by name, and what is seen."""
    crystal = arise.build(prototype)
    if prototype.material_type.startswith("2D"):
        seen = projected(crystal, np.array([0.0, 0, 1]), 60.0)
        return [("", seen)] if seen is not None else []
    if not crystal.pbc.all():
        return []
    cell = conventional_cell(prototype.cell)
    found = []
    for axis in axes():
        direction = np.array(axis) @ cell
        seen = projected(crystal, direction, float(np.linalg.norm(direction)))
        if seen is not None:
            found.append((f"[{' '.join(map(str, axis))}]".replace(" ", ""), seen))
    return found


def main() -> None:
    """Command line."""
    model = arise.load_model("arise-108")
    print("pattern,seen,axis,distance,layer")
    for prototype in arise.prototypes():
        known = set()
        for axis, seen in views(prototype):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said = arise.classify(seen, model, passes=PASSES)
            if said.rejected[0] or not said.valid[0]:
                continue
            d = nearest_neighbour_distance(seen)
            pattern = said.classes.short[int(said.index[0])]
            if (pattern, round(d, 2)) not in known:
                layer = prototype.material_type.startswith("2D")
                name = said.classes.short[[c.label for c in said.classes].index(prototype.label)]
                print(f"{pattern},{name},{axis},{d:.3f},{int(layer)}")
                known.add((pattern, round(d, 2)))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
