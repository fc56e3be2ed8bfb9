"""What to trust where atoms are lost and their places are wrong, as in atom probe and electron tomography.

Balls (discs of layers) of ideal crystals, turned at random, are cut so large that a given number of atoms is left when
a share of all is lost at random; the others are moved by normally distributed errors, alike in all directions or larger
along one, as the depth of a reconstruction. A model is asked what each is. Atom probes lose 20 to 65 % by the
efficiency of their detectors (Gault, Applied Microscopy 46, 117 (2016)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arise_core.benchmark.structures import labels_of
from arise_core.crystals.ideal import build
from arise_core.crystals.table import prototype
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.builders import Generator, nearest_neighbour_distance, remove_atoms, without_close
from arise_core.geometry.structure import OVERLAP_DISTANCE, Structure
from arise_core.model.model import Model
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.recognition.whole import classify
from arise_core.runtime.files import check_folder, write_atomically
from arise_core.runtime.tables import markdown, write_csv
from arise_core.settings import DEFAULT_MODEL, check_number
from arise_core.training.samples.pieces import Pieces, random_piece

#: Shares of the atoms that are lost, %.
LOST = (0, 20, 35, 50, 65)
#: Standard deviations of the errors, across and along the depth, % of the distance of nearest neighbours.
ERRORS = ((0, 0), (5, 5), (10, 10), (3, 10))
#: Atoms that are left.
LEFT = (150, 500)
#: An answer is "sure" with less mutual information and doubt of its rejection, bit.
SURE = 0.1
#: Structures that are looked up most.
WELL_KNOWN = ("fcc", "bcc", "hcp", "diamond", "B2", "L1_2")
#: Samples of a class and kind from which shares of a class are listed.
ENOUGH = 5
#: Pairs of classes that are listed.
MOST_PAIRS = 20
COLUMNS = (
    "class", "atoms", "lost_percent", "error_across_percent", "error_along_percent", "samples", "right_percent",
    "rejected_percent", "wrong_and_sure_percent", "mean_confidence_percent", "mutual_information_bit",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LostAtomsSettings:
    """What is asked.

    Args:
        model: name in the zoo, or path.
        classes: labels or names; empty: all that are no nanotube.
        draws: samples of each class and kind.
        passes: of Monte Carlo dropout.
        seed: of all random numbers.
    """

    model: str = DEFAULT_MODEL
    classes: tuple[str, ...] = ()
    draws: int = 3
    passes: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("draws", "passes"):
            check_number(name, getattr(self, name), whole=True, low=1)
        check_number("seed", self.seed, whole=True, low=0)
        self.labels()

    def labels(self) -> tuple[str, ...]:
        """Of the classes.

        Raises:
            InputError: one is unknown, or none is left.
        """
        found = tuple(label for label in labels_of(self.classes) if prototype(label).dimension > 1)
        if not found:
            raise InputError(f"`classes` are nanotubes, of which atoms are not taken, got {self.classes!r}")
        return found


@dataclass(frozen=True)
class Kind:
    """How samples are damaged."""

    left: int
    lost: int
    across: int
    along: int


KINDS = tuple(Kind(n, lost, *error) for n in LEFT for lost in LOST for error in ERRORS)


@dataclass(frozen=True)
class Said:
    """What the model says of the samples of a kind, (n_samples,) each."""

    labels: tuple[str, ...]  # what they are
    names: tuple[str, ...]  # what they are called, by label; rejected ones too
    right: FloatArray  # 1 with the right class and not rejected
    rejected: FloatArray
    sure: FloatArray  # 1 where neither the class nor the rejection is in doubt
    confidence: FloatArray
    mutual_information: FloatArray  # bit

    def of(self, label: str) -> Said:
        """Of the samples of a class."""
        chosen = np.array([one == label for one in self.labels])
        names = tuple(name for name, one in zip(self.names, self.labels, strict=True) if one == label)
        return Said(
            (label,) * len(names), names, self.right[chosen], self.rejected[chosen], self.sure[chosen],
            self.confidence[chosen], self.mutual_information[chosen],
        )  # fmt: skip

    @property
    def wrong_and_sure(self) -> FloatArray:
        """1 where it is named wrongly, without doubt; a rejection is no name."""
        return (1 - self.right) * (1 - self.rejected) * self.sure

    @property
    def calibration_gap(self) -> float:
        """Mean confidence less the share of right classes, of what is not rejected; NaN without any."""
        named = self.rejected == 0
        if not named.any():
            return float("nan")
        return float(self.confidence[named].mean() - self.right[named].mean())


def damaged(label: str, kind: Kind, rng: Generator) -> Structure:
    """A sample of a class: a piece of which atoms are lost, turned, with errors along the last axis of their own.

    Of two atoms that their errors put upon each other the first stays, as of the ions of an atom probe.
    """
    before = round(kind.left / (1 - kind.lost / 100))
    crystal = build(prototype(label))
    piece = remove_atoms(random_piece(crystal, before, rng, Pieces(spheres=1.0)), kind.lost / 100, rng)
    spread = nearest_neighbour_distance(crystal) * np.array([kind.across, kind.across, kind.along]) / 100
    moved = piece.positions + rng.normal(size=piece.positions.shape) * spread
    apart = without_close(moved, OVERLAP_DISTANCE)
    return Structure(moved[apart], piece.numbers[apart])


def ask(settings: LostAtomsSettings, progress: Progress = silent) -> dict[Kind, Said]:
    """Make the samples and ask the model; the same settings give the same answers."""
    return run(ask_steps(settings), progress)


def ask_steps(settings: LostAtomsSettings) -> Job[dict[Kind, Said]]:
    """`ask` as a job, a step a kind."""
    model = load_model(settings.model)
    found = {}
    for k, kind in enumerate(KINDS):
        found[kind] = _said(settings, kind, model)
        yield Step((k + 1) / len(KINDS), f"{kind.lost} % lost")
    return found


def _said(settings: LostAtomsSettings, kind: Kind, model: Model) -> Said:
    labels = [label for label in settings.labels() for _ in range(settings.draws)]
    samples = []
    for k, label in enumerate(labels):
        key = (settings.seed, prototype(label).number, *vars(kind).values(), k % settings.draws)
        samples.append(damaged(label, kind, np.random.default_rng(key)))
    said = classify(samples, model, passes=settings.passes, min_atoms=min(LEFT) // 2)
    right = np.array([a == b for a, b in zip(said.labels, labels, strict=True)]) & ~said.rejected
    sure = (said.mutual_information < SURE) & (said.rejection_uncertainty < SURE)
    values = (right, said.rejected, sure, said.confidence, said.mutual_information)
    return Said(tuple(labels), tuple(said.labels), *(np.asarray(v, dtype=np.float64) for v in values))


def write_report(found: dict[Kind, Said], settings: LostAtomsSettings, folder: Path) -> list[Path]:
    """Write `lost_atoms.md` and, by class, `lost_atoms.csv` into a folder; returns the paths."""
    check_folder(folder, f"`out` {str(folder)!r}")
    page, table = folder / "lost_atoms.md", folder / "lost_atoms.csv"
    write_csv(table, COLUMNS, _rows(found, settings.labels()))
    text = "\n".join(_page(found, settings)) + "\n"
    write_atomically(page, lambda place: Path(place).write_text(text, encoding="utf-8"))
    return [page, table]


def _rows(found: dict[Kind, Said], labels: Sequence[str]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for label in labels:
        for kind, said in found.items():
            own = said.of(label)
            shares = (own.right, own.rejected, own.wrong_and_sure, own.confidence)
            rows.append((
                label, kind.left, kind.lost, kind.across, kind.along, len(own.labels),
                *(round(100 * float(v.mean()), 1) for v in shares), round(float(own.mutual_information.mean()), 4),
            ))  # fmt: skip
    return rows


def _page(found: dict[Kind, Said], settings: LostAtomsSettings) -> list[str]:
    model = load_model(settings.model)
    command = "arise benchmark loss" + "".join(f" --classes {name}" for name in settings.classes)
    lines = [
        "# Lost atoms and wrong places", "",
        f"Made by `{command} --model {settings.model} --draws {settings.draws} --passes {settings.passes} "
        f"--seed {settings.seed} --out DIR`: model `{model.name}` ({model.card.weights_sha256[:12]}), "
        f"{len(settings.labels())} classes, {settings.draws} samples each: balls of ideal crystals (discs of "
        "layers), turned at random, of which a share of the atoms is lost at random and the others are moved by "
        "normally distributed errors, a standard deviation in % of the distance of nearest neighbours, across and "
        "along the depth. By class: "
        "[lost_atoms.csv](lost_atoms.csv).", "",
        "Right: the class, and not rejected. Wrong and sure: named wrongly with less than "
        f"{SURE} bit of doubt. Gap: mean confidence less the share that is right, of what is not rejected.",
    ]  # fmt: skip
    heads = ("lost, %", "errors, %", "right, %", "rejected, %", "wrong and sure, %", "gap", "doubt, bit")
    for left in LEFT:
        lines += ["", f"## {left} atoms left", ""]
        rows = [
            (
                str(kind.lost), _errors(kind),
                *(f"{100 * v.mean():.1f}" for v in (said.right, said.rejected, said.wrong_and_sure)),
                f"{said.calibration_gap:+.2f}", f"{said.mutual_information.mean():.2f}",
            )
            for kind, said in found.items() if kind.left == left
        ]  # fmt: skip
        lines += markdown(heads, rows, range(len(heads)))
    return [*lines, *_well_known(found, settings), *_mistakes(found)]


def _well_known(found: dict[Kind, Said], settings: LostAtomsSettings) -> list[str]:
    """Shares that are right of the structures that are looked up most, by what is lost and by error; if samples do."""
    asked = {prototype(name).label: name for name in WELL_KNOWN}
    asked = {label: name for label, name in asked.items() if label in settings.labels()}
    if not asked or settings.draws < ENOUGH:
        return []
    lines = [
        "", f"## Common structures, {LEFT[-1]} atoms left", "",
        "Right (wrong and sure), %.", "",
    ]  # fmt: skip
    heads = ("lost, %", "errors, %", *asked.values())
    rows = []
    for kind, said in found.items():
        if kind.left == LEFT[-1]:
            own = [said.of(label) for label in asked]
            rows.append(
                (
                    str(kind.lost), _errors(kind),
                    *(f"{100 * s.right.mean():.0f} ({100 * s.wrong_and_sure.mean():.0f})" for s in own),
                )
            )  # fmt: skip
    return lines + markdown(heads, rows, range(len(heads)))


def _mistakes(found: dict[Kind, Said]) -> list[str]:
    """What is taken for what without doubt, by what is lost, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    asked: Counter[str] = Counter()
    least: dict[tuple[str, str], int] = {}
    for kind, said in found.items():
        asked.update(said.labels)
        for k in np.flatnonzero(said.wrong_and_sure).tolist():
            pair = said.labels[k], said.names[k]
            counts[pair] += 1
            least[pair] = min(kind.lost, least.get(pair, 100))
    lines = ["", "## Wrong and sure: what is taken for what", ""]
    if not counts:
        return [*lines, "Nothing."]
    every = sum(asked.values())
    lines += [
        f"{sum(counts.values())} of {every} samples, {len(counts)} pairs of classes; the most frequent ones.", "",
    ]  # fmt: skip
    rows = [
        (prototype(a).short, prototype(b).short, f"{n} of {asked[a]}", str(least[a, b]))
        for (a, b), n in counts.most_common(MOST_PAIRS)
    ]
    return lines + markdown(("is", "is called", "samples", "with so much lost at least, %"), rows, (2, 3))


def _errors(kind: Kind) -> str:
    return f"{kind.across}" if kind.across == kind.along else f"{kind.across}, {kind.along}"
