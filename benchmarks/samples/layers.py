"""Layers with defects: pieces of graphene, boron nitride and MoS2 as a microscope finds them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from ase import Atoms
from ase.build import graphene, mx2
from scipy.spatial import cKDTree

from ase_arise import from_atoms
from benchmarks.samples.hosts import Generator, Sample

FAR = 6.0  # Å from the defect; atoms closer to it do not count in a map
NOISE = (0.02, 0.05)  # standard deviation of a coordinate over the bond length
BONDS = {"graphene": 1.42, "boron nitride": 1.446, "MoS2": 2.41}  # Å
FOREIGN = {"graphene": (5, 7, 8, 14, 16), "boron nitride": (6, 8, 13), "MoS2": (34, 74, 41, 8)}


def flat(material: str, half: float, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Atoms:
    """An open square piece of a layer, |x|, |y| < half (Å), turned by an angle (radians)."""
    if material == "MoS2":
        unit = mx2("MoS2", kind="2H", a=3.16, thickness=3.19, vacuum=5)
    else:
        formula, a = {"graphene": ("C2", 2.46), "boron nitride": ("BN", 2.504)}[material]
        unit = graphene(formula, a=a, vacuum=5)
    n = int(np.ceil(3 * half / unit.cell.lengths()[0])) + 2
    atoms = unit.repeat((n, n, 1))
    atoms.positions -= atoms.cell.sum(axis=0) / 2
    atoms.positions[:, :2] += np.asarray(shift) @ unit.cell.array[:2, :2]
    c, s = np.cos(turn), np.sin(turn)
    atoms.positions[:, :2] = atoms.positions[:, :2] @ np.array([[c, s], [-s, c]])
    atoms = atoms[(np.abs(atoms.positions[:, :2]) < half).all(axis=1)]
    atoms.set_cell(np.zeros((3, 3)))
    atoms.pbc = False
    return atoms


def random_flat(material: str, half: float, rng: Generator) -> Atoms:
    """The same at a random place and orientation."""
    x, y = rng.uniform(size=2)
    return flat(material, half, float(rng.uniform(0, 2 * np.pi)), (float(x), float(y)))


def noisy(atoms: Atoms, material: str, rng: Generator, *, in_plane: bool = False) -> Atoms:
    """With displacements of 2 to 5 % of the bond length."""
    out = atoms.copy()
    sigma = rng.uniform(*NOISE) * BONDS[material]
    out.positions += rng.normal(0, sigma, (len(out), 3)) * ([1, 1, 0] if in_plane else [1, 1, 1])
    return out


def neighbours(atoms: Atoms, reach: float) -> list[set[int]]:
    """Indices of the atoms within `reach` (Å) of each."""
    near = cKDTree(atoms.positions).query_ball_point(atoms.positions, reach)
    return [set(n) - {k} for k, n in enumerate(near)]


def turned_bonds(atoms: Atoms, count: int, rng: Generator) -> tuple[Atoms, np.ndarray]:
    """Stone-Wales defects in a flat honeycomb, relaxed in bonds and angles, and their middles (count, 3)."""
    bond = BONDS["graphene"] * 1.01
    near = neighbours(atoms, 1.25 * bond)
    out: Atoms = atoms.copy()
    middles: list[np.ndarray] = []
    edge = np.abs(atoms.positions[:, :2]).max() - 4
    for i in rng.permutation(len(atoms)):
        j = int(rng.choice(sorted(near[i]))) if near[i] else i
        middle = (out.positions[i] + out.positions[j]) / 2
        if i == j or np.abs(middle[:2]).max() > edge:
            continue
        if any(np.linalg.norm(middle - m) < 7 for m in middles):
            continue
        v = out.positions[j] - middle
        w = np.array([-v[1], v[0], 0])
        out.positions[i], out.positions[j] = middle - w, middle + w
        for own, other, side in ((i, j, -w), (j, i, w)):
            for k in sorted(near[own] - {other}):
                if (out.positions[k] - middle) @ side < 0:
                    near[own].discard(k)
                    near[k].discard(own)
                    near[other].add(k)
                    near[k].add(other)
        middles.append(middle)
        if len(middles) == count:
            break
    out.positions = relaxed(out.positions, near, bond)
    return out, np.array(middles)


def relaxed(positions: np.ndarray, near: list[set[int]], bond: float) -> np.ndarray:
    """Positions at the least of Σ (r - bond)² + 0.3 bond² Σ (cos θ + 1/2)², with fixed bonds."""
    pairs = torch.tensor([(i, j) for i, n in enumerate(near) for j in n if i < j])
    angles = torch.tensor([(i, a, b) for i, n in enumerate(near) for a in n for b in n if a < b])
    x = torch.tensor(positions, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([x], max_iter=60, line_search_fn="strong_wolfe")

    def energy() -> torch.Tensor:
        descent.zero_grad()
        r = (x[pairs[:, 0]] - x[pairs[:, 1]]).norm(dim=1)
        first, second = x[angles[:, 1]] - x[angles[:, 0]], x[angles[:, 2]] - x[angles[:, 0]]
        cosine = torch.nn.functional.cosine_similarity(first, second, dim=1)
        total: torch.Tensor = ((r - bond) ** 2).sum() + 0.3 * bond**2 * ((cosine + 0.5) ** 2).sum()
        total.backward()
        return total

    descent.step(energy)
    return np.asarray(x.detach().numpy())


def two_halves(material: str, half: float, angle: float, rng: Generator) -> Atoms:
    """Half-sheets turned against each other by an angle (degrees) that meet at x = 0; close atoms merged."""
    start = rng.uniform(0, 2 * np.pi)
    sides = []
    for sign in (1, -1):
        x, y = rng.uniform(size=2)
        side = flat(material, half, start + sign * np.radians(angle) / 2, (float(x), float(y)))
        sides.append(side[sign * side.positions[:, 0] > 0])
    both = sides[0] + sides[1]
    taken = np.ones(len(both), dtype=bool)
    for i, j in sorted(cKDTree(both.positions).query_pairs(0.77 * BONDS[material])):
        if taken[i] and taken[j]:
            taken[j] = False
    return both[taken]


def waves(atoms: Atoms, rng: Generator) -> Atoms:
    """With an out-of-plane wave of 0.1 to 0.6 Å amplitude and 10 to 40 Å length."""
    out = atoms.copy()
    turn, phase = rng.uniform(0, 2 * np.pi, 2)
    along = out.positions[:, :2] @ [np.cos(turn), np.sin(turn)]
    out.positions[:, 2] += rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * along / rng.uniform(10, 40) + phase)
    return out


def without(atoms: Atoms, share: float, rng: Generator) -> Atoms:
    """Without a random share of the atoms."""
    return atoms[np.sort(rng.permutation(len(atoms))[: round((1 - share) * len(atoms))])]


def sheets(rng: Generator, draws: int) -> Iterator[Sample]:
    """Open pieces of graphene, boron nitride and MoS2 with each defect, 150 atoms and more, noise of 2 to 5 % of the
    bond length along each axis. Asked as a whole, or by a map in which the atoms further than 6 Å from the defect
    count.
    """
    for material in BONDS:
        for _ in range(draws):
            for group, atoms, defect, in_plane in damaged(material, rng):
                done = from_atoms(noisy(atoms, material, rng, in_plane=in_plane))
                far = None if defect is None else cKDTree(defect).query(atoms.positions[:, :2])[0] > FAR
                yield Sample(
                    group=group, lattice=material, detail="", structure=done, counted=far,
                    ways=("whole",) if far is None else ("fine",),
                )  # fmt: skip


def damaged(material: str, rng: Generator) -> Iterator[tuple[str, Atoms, np.ndarray | None, bool]]:
    """Name of the defect, the sheet, points (n, 2) of the defect for a map, whether noise is in the plane alone."""
    half = 9.5 if material == "MoS2" else 10.5  # Å; about 160 atoms
    size = float(half * rng.uniform(1.1, 1.9))
    large = 24.0
    yield "perfect, open", random_flat(material, size, rng), None, False
    sheet = without(random_flat(material, size, rng), rng.uniform(0.01, 0.05), rng)
    yield "vacancies 1–5 %", sheet, None, False
    if material != "MoS2":
        for edge in (size, large):
            count = int(rng.integers(1, 4)) if edge < large else 2
            sheet, middles = turned_bonds(random_flat(material, edge, rng), count, rng)
            yield "Stone-Wales", sheet, middles[:, :2] if edge == large else None, False
    for edge in (size, large):
        line = np.column_stack([np.zeros(97), np.linspace(-large, large, 97)])
        sheet = two_halves(material, edge, rng.uniform(5, 55), rng)
        yield "tilt boundary", sheet, line if edge == large else None, False
    sheet = random_flat(material, size, rng)
    count = max(1, round(rng.uniform(0.005, 0.1) * len(sheet)))
    sheet.numbers[rng.permutation(len(sheet))[:count]] = rng.choice(FOREIGN[material])
    yield "dopants 0.5–10 %", sheet, None, False
    yield "ripples", waves(random_flat(material, size, rng), rng), None, False
    for edge in (max(size, 14.0), large):
        sheet, middle, radius = random_flat(material, edge, rng), rng.uniform(-6, 6, 2), rng.uniform(3, 7)
        sheet = sheet[np.linalg.norm(sheet.positions[:, :2] - middle, axis=1) > radius]
        ring = middle + radius * np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 2 * np.pi, 60)])
        yield "hole", sheet, ring if edge == large else None, False
    sheet = without(random_flat(material, size, rng), rng.uniform(0, 0.05), rng)
    yield "micrograph", sheet, None, True
