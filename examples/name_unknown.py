"""Find out what a region is that no class fits, and teach it to a model.

    python examples/name_unknown.py [--out DIR] [--quick] [--teach]

What one should see: aluminium (fcc) beside a grain of MgCu2, a Laves phase that is none of the 108 classes, both with
displacements of 5 % of the distance of nearest neighbours. The map calls the one side fcc and rejects the other. From
the rejected atoms the script rebuilds a cell of 6 atoms with space group Fd-3m (227), says that it is the Laves phase
C15, and leaves it as `unknown.cif`, the file that `arise add-class` takes. With `--teach` (minutes) it does just that,
and maps again: what was rejected is C15.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import arise_core as arise
from arise_core.crystals.others import other
from arise_core.crystals.standard import write_structure
from arise_core.geometry import builders
from arise_core.recognition.result import Recognition, recognise
from arise_core.settings import RecognitionSettings

NOISE = 0.05  # share of the distance of nearest neighbours
ALUMINIUM = 2.86  # Å, distance of nearest neighbours
CLOSEST = 1.7  # Å, atoms nearer at the boundary are left out
SETTINGS = RecognitionSettings.of({"mode": "local", "box_size": 14.0, "stride": 5.0, "passes": 50})


def two_grains(edge: float, rng: np.random.Generator) -> tuple[arise.Structure, np.ndarray]:
    """Two cubes side by side with noise, and which atoms were built as MgCu2."""
    fcc = arise.build(arise.prototype("fcc"))
    scale = ALUMINIUM / builders.nearest_neighbour_distance(fcc)
    aluminium = arise.Structure(fcc.positions * scale, np.full(len(fcc), 13), fcc.cell * scale, fcc.pbc)
    laves = other("Laves C15, MgCu2")
    left, right = (cube(unit, edge, rng) for unit in (aluminium, laves))
    places = np.concatenate([left.positions, right.positions + [edge, 0, 0]])
    places += rng.normal(0, NOISE * ALUMINIUM, places.shape)
    numbers = np.concatenate([left.numbers, right.numbers])
    kept = builders.without_close(places, CLOSEST)
    built = np.arange(len(places)) >= len(left)
    return arise.Structure(places[kept], numbers[kept]), built[kept]


def cube(unit: arise.Structure, edge: float, rng: np.random.Generator) -> arise.Structure:
    """A cube cut out of a crystal in a random orientation."""
    counts = builders.cell_heights_at_least(unit, 2 * edge)
    crystal = builders.repeat(unit, counts)
    places = (crystal.positions - crystal.cell.sum(axis=0) / 2) @ builders.random_rotation(rng) + edge / 2
    inside = ((places >= 0) & (places < edge)).all(axis=1)
    return arise.Structure(places[inside], crystal.numbers[inside])


def told(found: Recognition, built: np.ndarray) -> None:
    """What the map says of each side."""
    labels = found.atom_labels
    for name, side in (("Al", ~built), ("MgCu2", built)):
        names, counts = np.unique(labels[side], return_counts=True)
        first = np.argsort(-counts)[:3]
        shares = ", ".join(f"{names[k]} {100 * counts[k] / side.sum():.1f} %" for k in first)
        print(f"{name}: {shares}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/name_unknown"))
    parser.add_argument("--quick", action="store_true", help="smaller grains")
    parser.add_argument("--teach", action="store_true", help="add the crystal to a model, and map again")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    structure, built = two_grains(36.0 if given.quick else 50.0, np.random.default_rng(3))
    model = arise.load_model("arise-108")
    found = recognise(structure, model, SETTINGS)
    print(f"{len(structure)} atoms")
    told(found, built)
    regions = arise.unknown_regions(found, structure)
    for k, atoms in enumerate(regions):
        cell = arise.rebuild_cell(structure, atoms)
        print(f"region {k + 1}, {len(atoms)} atoms: {cell if cell else cell.reason}")
        if not isinstance(cell, arise.RebuiltCell):
            continue
        name = arise.name_crystal(cell, model)
        print(name)
        for near in name.relatives:
            print(f"    {near.crystal.label}: distance {near.distance:.4f}, similarity {near.similarity:.3f}")
        if k == 0:
            write_structure(cell.structure, given.out / "unknown.cif")
            print(f"{given.out / 'unknown.cif'} is what `arise add-class` takes")
    if given.teach:
        from arise_core.training.edit_classes import add_classes

        taught, _ = add_classes([given.out / "unknown.cif"], ["C15"], given.out / "model", overwrite=True)
        print("with the new class:")
        told(recognise(structure, taught, SETTINGS), built)


if __name__ == "__main__":
    main()
