"""Layers with defects, tubes and cages: what a model says of them.

    python -m benchmarks.samples.sheets [--model NAME] [--draws N] [--csv FILE]

Built with ASE and numpy, apart from the code that makes samples for training. Sheets of 150 atoms and more are to keep
their class as a whole, and in a map where they are further than 6 Å from the defect. Tubes outside the list and cages
are right if they are rejected, or if a tube class is named with a mutual information of 0.3 bit and more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from ase.build import graphene, molecule, mx2, nanotube
from scipy.spatial import cKDTree

import arise_core as arise
from ase_arise import from_atoms
from benchmarks.tables import markdown

Generator = np.random.Generator

SEED = 20_261
PASSES = 96
BOX, STRIDE = 16.0, 4.0  # Å
FAR = 6.0  # Å from the defect
DOUBT = 0.3  # bit
NOISE = (0.02, 0.05)  # standard deviation of a coordinate over the bond length
CLASSES = {"graphene": "C", "boron nitride": "BN", "MoS2": "MoS2"}
BONDS = {"graphene": 1.42, "boron nitride": 1.446, "MoS2": 2.41}
FOREIGN = {"graphene": (5, 7, 8, 14, 16), "boron nitride": (6, 8, 13), "MoS2": (34, 74, 41, 8)}
#: Indices of the tubes that are classes.
LISTED = {(3, 3), (4, 4), (4, 2), (4, 3), (5, 1), (5, 2), (5, 3), (6, 1), (6, 2), (7, 1), (6, 0), (7, 0)}
TUBES = (
    (5, 5), (6, 6), (8, 8), (10, 10), (8, 0), (10, 0), (13, 0), (5, 0), (5, 4), (6, 3), (6, 4), (7, 2), (8, 3), (9, 1),
    (10, 5), (11, 4),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A structure and what is right.

    Args:
        group: a row of the table.
        name: what it is.
        structure: as it is asked.
        label: of the class; None: to be rejected or in doubt, see the module.
        far: atoms that count in a map, (n,); None: asked as a whole alone.
    """

    group: str
    name: str
    structure: arise.Structure
    label: str | None
    far: np.ndarray | None = field(default=None)


# --- sheets -------------------------------------------------------------------------------------------------------


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
    out, middles = atoms.copy(), []
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
        total = ((r - bond) ** 2).sum() + 0.3 * bond**2 * ((cosine + 0.5) ** 2).sum()
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
    for i, j in cKDTree(both.positions).query_pairs(0.77 * BONDS[material]):
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
    """Graphene, boron nitride and MoS2 with each defect, 2 to 5 % noise."""
    for material, label in CLASSES.items():
        for _ in range(draws):
            for group, atoms, defect, in_plane in damaged(material, rng):
                done = from_atoms(noisy(atoms, material, rng, in_plane=in_plane))
                far = None
                if defect is not None:
                    far = cKDTree(defect).query(atoms.positions[:, :2])[0] > FAR
                yield Sample(group=group, name=material, structure=done, label=label, far=far)


def damaged(material: str, rng: Generator) -> Iterator[tuple[str, Atoms, np.ndarray | None, bool]]:
    """Name of the defect, the sheet, points (n, 2) of the defect for a map, whether noise is in the plane alone."""
    half = 9.5 if material == "MoS2" else 10.5  # Å; about 160 atoms
    size = float(half * rng.uniform(1.1, 1.9))
    large = 24.0
    yield "perfect, open", random_flat(material, size, rng), None, False
    yield (
        "vacancies 1–5 %",
        without(random_flat(material, size, rng), rng.uniform(0.01, 0.05), rng),
        None,
        False,
    )
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


# --- tubes and cages ----------------------------------------------------------------------------------------------


def tube(n: int, m: int, length: float) -> Atoms:
    """A carbon tube of so many Å at least, periodic along z."""
    period = nanotube(n, m, length=1).cell[2, 2]
    return nanotube(n, m, length=int(np.ceil(length / period)))


def cut(atoms: Atoms) -> Atoms:
    """The same atoms without period."""
    out = atoms.copy()
    out.pbc = False
    out.set_cell(np.zeros((3, 3)))
    return out


def nitride(atoms: Atoms) -> Atoms:
    """Boron and nitrogen on the two sites of an open tube."""
    out, near = atoms.copy(), neighbours(atoms, 1.25 * 1.42)
    side: dict[int, int] = {0: 5}
    todo = [0]
    while todo:
        i = todo.pop()
        for j in near[i] - side.keys():
            side[j] = 12 - side[i]
            todo.append(j)
    out.numbers = [side.get(k, 5) for k in range(len(out))]
    return out


def dodecahedron() -> Atoms:
    """C20."""
    g = (1 + np.sqrt(5)) / 2
    points = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    points += [tuple(np.roll([0, a / g, b * g], s)) for a in (-1, 1) for b in (-1, 1) for s in range(3)]
    return Atoms("C20", np.array(points) * 1.44 / (2 / g))


def tubes(rng: Generator, draws: int) -> Iterator[Sample]:
    """Tubes outside the list, also of BN and in each other, cages, and the tubes of the list, 1 to 3 % noise."""
    for _ in range(draws):
        made: list[tuple[str, str, Atoms, str | None]] = []
        for n, m in TUBES:
            piece = cut(tube(n, m, rng.uniform(12, 25)))
            made.append(("tube outside the list, open", f"({n},{m})", piece, None))
            made.append(("tube outside the list, periodic", f"({n},{m})", tube(n, m, 8), None))
        made += [("BN tube", f"({n},{m})", nitride(cut(tube(n, m, 15))), None) for n, m in TUBES[:8]]
        for inner, outer in (((4, 0), (13, 0)), ((5, 5), (10, 10)), ((6, 4), (11, 8))):
            walls = cut(tube(*inner, 12)) + cut(tube(*outer, 12))
            made.append(("double-walled", f"{inner} in {outer}", walls, None))
        made += [("cage", "C60", molecule("C60"), None), ("cage", "C20", dodecahedron(), None)]
        for n, m in sorted(LISTED):
            listed = arise.prototype(f"nanotube ({n},{m})").label
            made.append(("tube of the list", f"({n},{m})", cut(tube(n, m, 12)), listed))
        for group, name, atoms, label in made:
            atoms.positions += rng.normal(0, rng.uniform(0.01, 0.03) * 1.42, (len(atoms), 3))
            yield Sample(group=group, name=name, structure=from_atoms(atoms), label=label)


# --- figures ------------------------------------------------------------------------------------------------------


def is_right(label: str | None, said: str, rejected: bool, bits: float) -> bool:
    """Whether an answer is right; see the module."""
    if label is not None:
        return said == label and not rejected
    return rejected or ("_cnt_" in said and bits >= DOUBT)


def answers(samples: list[Sample], model: arise.Model) -> pd.DataFrame:
    """A row for each structure as a whole and for each map (`n` atoms of which the share `right` is right)."""
    said = arise.classify([s.structure for s in samples], model, passes=PASSES)
    rows = []
    for k, s in enumerate(samples):
        label, bits, score = said.labels[k], float(said.mutual_information[k]), float(said.reject_score[k])
        right = float(is_right(s.label, label, bool(said.rejected[k]), bits))
        if s.far is None:
            rows.append((s.group, s.name, "whole", len(s.structure), right, label, bits, score))
            continue
        found = arise.strided_map(
            s.structure, model, box_size=BOX, stride=STRIDE, passes=PASSES, tolerance=None
        ).values_at_atoms()
        counted = s.far & (found.index >= 0)
        names = np.array(model.classes, dtype=object)[found.index[counted]]
        good = (names == s.label) & (found.reject_score[counted] < (model.card.reject.threshold or np.inf))
        values, numbers = np.unique(names.astype(str), return_counts=True)
        often = values[numbers.argmax()]
        means = (float(np.nanmean(v[counted])) for v in (found.mutual_information, found.reject_score))
        rows.append((s.group, s.name, "map", int(counted.sum()), float(good.mean()), often, *means))
    columns = ["group", "name", "asked", "n", "right", "said", "bits", "score"]
    return pd.DataFrame(rows, columns=columns)


def table(found: pd.DataFrame) -> str:
    """Shares by group and material."""
    rows = []
    sheet = found["name"].isin(list(CLASSES))
    kind = found["group"].where(~sheet, found["name"] + ", " + found["group"])
    for (name, asked), part in found.groupby([kind, "asked"], sort=False):
        wrong = part[part["right"] < 0.5]["said"].value_counts()[:3]
        rows.append((
            str(name), str(asked), str(len(part)), f"{100 * part['right'].mean():.1f}", f"{part['bits'].mean():.2f}",
            ", ".join(f"{label} {count}" for label, count in wrong.items()),
        ))  # fmt: skip
    return markdown(rows, ("sample", "asked", "number", "right, %", "bit", "wrong"))


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samples.sheets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="arise-108")
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(SEED)
    samples = [*sheets(rng, given.draws), *tubes(rng, max(1, given.draws // 3))]
    found = answers(samples, arise.load_model(given.model))
    if given.csv:
        found.to_csv(given.csv, index=False, float_format="%.4f", lineterminator="\n")
    print(table(found))


if __name__ == "__main__":
    main()
