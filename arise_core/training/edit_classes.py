"""Classes added to and removed from a trained model, in minutes.

Adding goes on from the model's weights: samples of the new classes are made as the model's recipe makes them,
samples of the old classes in reduced number, so that what was learnt stays, and all weights are trained a little
further. The input map stays. Removing drops rows of the last layer and trains nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arise_core.crystals.crystal import Crystal, from_plain, prototype_crystals, to_plain
from arise_core.crystals.standard import ReadStructure, read_structure
from arise_core.crystals.symmetry import symmetry
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.model.card import Card
from arise_core.model.classes import ClassTable
from arise_core.model.model import Model
from arise_core.model.network import DropoutMLP, build_network
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime import threads
from arise_core.runtime.files import fresh_folder, write_atomically
from arise_core.runtime.ledger import package_version
from arise_core.settings import DEFAULT_MODEL, SamplingSettings
from arise_core.training.edit_report import REPORT_LEVELS, Trial, removal_report, report
from arise_core.training.export import export, network_digest
from arise_core.training.fit import Fitted, fit_steps, split
from arise_core.training.own_crystals import CrystalFile, make_crystal, same_crystal
from arise_core.training.recipe import NetworkSettings, Recipe, recipe_of
from arise_core.training.samples.defects import DefectSamples
from arise_core.training.samples.kinds import without_class
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.samples.paper import PaperSamples
from arise_core.training.train import SamplePlan, collect_steps, targets_of

PART_SIZE = 8


#: Kinds of samples that are neither of the old nor of the new classes, so that they hang on both.
NEITHER = ("unknown", "relatives", "other_tubes")
#: Kinds of samples that are the old classes as real samples hold them.
REAL = ("impurities", "solutions", "slabs", "elastic", "hot", "sheets", "few_atoms", "interfaces")
#: Old classes as which the old model takes a new crystal with this probability or more are learnt again beside it.
NEAR = 0.02


@dataclass(frozen=True, kw_only=True)
class AddSettings:
    """How classes are added.

    Args:
        whole: samples of each new class of periodic cells, open supercells and pieces.
        boxes: samples of each new class of boxes.
        replay_whole: the same of each old class.
        replay_boxes: the same of each old class; classes of which the recipe makes more get up to 3 times this.
        replay_alloys: random alloys of each close-packed old class, partly ordered alloys of each that orders, and
            stacking faults of fcc and hcp; other elements, and antisites and strained
            ones of compounds, a sixth of it.
        replay_disorder: disordered samples.
        replay_unknown: crystals that are none of the classes.
        near: samples of each kind of real samples (impure, hot, small, ...) of each new class at most; half of it of
            each old class that is like one of them, and as many boxes of these.
        defects: defective structures a class and level for the report.
        epochs: passes over the samples.
        batch_size: samples a step.
        learning_rate: at the start; falls to zero (cosine).
        passes: forward passes with dropout for the report.
        allow_similar: take a structure of the same symmetry that the model already calls one of its classes.
        seed: of samples, new weights and order.
    """

    whole: int = 120
    boxes: int = 200
    replay_whole: int = 8
    replay_boxes: int = 12
    replay_alloys: int = 24
    replay_disorder: int = 150
    replay_unknown: int = 150
    near: int = 40
    defects: int = 1
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-4
    passes: int = 200
    allow_similar: bool = False
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("whole", "replay_whole", "epochs", "batch_size", "passes", "defects"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        for name in (
            "boxes",
            "replay_boxes",
            "replay_alloys",
            "replay_disorder",
            "replay_unknown",
            "near",
            "seed",
        ):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must not be negative, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be positive, got {self.learning_rate}")


def add_classes(
    files: Sequence[Path],
    names: Sequence[str],
    out: Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    settings: AddSettings | None = None,
    overwrite: bool = False,
    read: ReadStructure = read_structure,
    progress: Progress = silent,
) -> tuple[Model, str]:
    """A model that knows more crystals than another, and a report on it (Markdown).

    Writes `model.safetensors`, `model.pt`, `card.json` and `report.md` into `out`.

    Args:
        files: a structure each, in any format that `ase.io` reads.
        names: of the new classes, as many as files; empty: the files' names.
        out: folder for the model.
        model: what to go on from, a name of the zoo or a path.
        settings: numbers of samples, and training.
        overwrite: allow an `out` that is not empty.
        read: the structure in a file; default: by `ase.io`.
        progress: called with the share of the work done.

    Raises:
        FileNotFoundError, FileExistsError: a missing file; an `out` with contents.
        ValueError: a bad file or name, a crystal that the model knows, or a model that cannot be gone on from.
    """
    job = add_classes_steps(files, names, out, model=model, settings=settings, overwrite=overwrite, read=read)
    return run(job, progress)


def add_classes_steps(
    files: Sequence[Path],
    names: Sequence[str],
    out: Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    settings: AddSettings | None = None,
    overwrite: bool = False,
    read: ReadStructure = read_structure,
) -> Job[tuple[Model, str]]:
    """`add_classes` as a job; closed, it leaves nothing but the empty folder."""
    settings = settings or AddSettings()
    sampling = SamplingSettings(passes=settings.passes)
    check_folder(out, overwrite)
    if not files:
        raise InputError("`files` is empty: name at least one structure file")
    if names and len(names) != len(files):
        raise InputError(f"`names` must be as many as files, got {len(names)} names and {len(files)} files")
    base = load_model(model)
    recipe = recipe_of(base.card)
    old = crystals_of(base.card)
    new, sources = read_new(files, names, base, old, settings, read)
    fresh_folder(out, overwrite)

    plans = [
        SamplePlan(
            samples=reduced(recipe.samples, settings), settings=base.descriptor, seed=settings.seed, crystals=old
        ),
        SamplePlan(
            samples=enough(recipe.samples, settings), settings=base.descriptor, seed=settings.seed + 1,
            crystals=new,
        ),
        SamplePlan(
            samples=unknown_only(recipe.samples, settings), settings=base.descriptor, seed=settings.seed + 3,
            crystals=(*old, *new),
        ),
    ]  # fmt: skip
    near = alike(base, old, new)
    if near:
        samples = near_only(recipe.samples, settings)
        plans.append(
            SamplePlan(samples=samples, settings=base.descriptor, seed=settings.seed + 4, crystals=near)
        )
    features, labels = yield from part(collect_steps(plans, PART_SIZE), 0.02, 0.7)
    classes = ClassTable.of((*base.class_info, *(c.info for c in new)))
    targets = targets_of(labels, classes)
    plan = fine_tuning(base, recipe, settings, out.name)
    fitting = fit_steps(features, targets, len(classes), plan, start=grown(base, len(new)))
    fitted = yield from part(fitting, 0.7, 0.85)
    defects = SamplePlan(
        samples=DefectSamples(levels=REPORT_LEVELS, draws=settings.defects), settings=base.descriptor,
        seed=settings.seed + 2, crystals=(*old, *new),
    )  # fmt: skip
    bad, bad_labels = yield from part(collect_steps([defects], PART_SIZE), 0.85, 0.95)
    trial = Trial(base, fitted.network, classes, new, sampling)
    held_out = split(targets)[1]
    comparison = trial.compare_steps(features[held_out], targets[held_out])
    figures = {"held-out samples": (yield from part(comparison, 0.95, 0.97, "held-out samples"))}
    comparison = trial.compare_steps(bad, targets_of(bad_labels, classes))
    figures["defects"] = yield from part(comparison, 0.97, 0.99, "defects")
    card = replace(
        base.card,
        name=plan.name,
        description=f"{base.name} and {', '.join(c.info.name for c in new)}.",
        classes=classes,
        weights_sha256=network_digest(fitted.network),
        sureness=None,  # that of other weights
        package_version=package_version(),
        training=extended_training(base, recipe, old, new, sources, settings, fitted, len(targets)),
        accuracy={
            "training_split": fitted.accuracy,
            "validation_split": fitted.validation_accuracy,
            **figures,
        },
    )
    export(fitted.network, card, out)
    text = report(base, old, new, sources, figures, sampling)
    write_atomically(out / "report.md", lambda path: path.write_text(text, encoding="utf-8"))
    yield Step(1.0, f"model in {out}")
    return load_model(out), text


def check_folder(out: Path, overwrite: bool) -> None:
    """Refuse a folder with contents before any work.

    Raises:
        FileExistsError: as `fresh_folder`, which makes the folder.
    """
    if out.exists():
        fresh_folder(out, overwrite)


def crystals_of(card: Card) -> tuple[Crystal, ...]:
    """The crystals of a model's classes: prototypes of the table, or those that the card itself carries.

    Raises:
        ValueError: classes that neither of them has.
    """
    known = {c.label: c for c in prototype_crystals()}
    known |= {c.label: c for c in from_plain(card.training.get("crystals", ()), card.classes)}
    missing = [c.label for c in card.classes if c.label not in known]
    if missing:
        raise InputError(f"`model` {card.name!r} does not say what its classes {missing} look like")
    return tuple(replace(known[c.label], info=c) for c in card.classes)


def read_new(
    files: Sequence[Path],
    names: Sequence[str],
    base: Model,
    old: Sequence[Crystal],
    settings: AddSettings,
    read: ReadStructure = read_structure,
) -> tuple[tuple[Crystal, ...], tuple[CrystalFile, ...]]:
    """The new classes, each checked against the old ones and those before it.

    Raises:
        FileNotFoundError, ValueError: as `make_crystal`; or a crystal that the model knows.
    """
    new: list[Crystal] = []
    sources: list[CrystalFile] = []
    for path, name in zip(files, names or [f.stem for f in files], strict=True):
        crystal, source = make_crystal(path, name, [*base.class_info, *(c.info for c in new)], read)
        same = same_crystal(crystal, [*old, *new])
        if same is not None:
            raise InputError(
                f"structure file {str(path)!r} is the crystal structure of the class {same.label} "
                f"({same.info.name}), whatever its elements and size; nothing was added"
            )
        if not settings.allow_similar:
            _refuse_similar(path, crystal, base, old)
        new.append(crystal)
        sources.append(source)
    return tuple(new), tuple(sources)


def _refuse_similar(path: Path, crystal: Crystal, base: Model, old: Sequence[Crystal]) -> None:
    """Refuse a structure of the same symmetry and composition as the class that the model takes it for."""
    prediction = base.predict(describe(crystal.unit, base.descriptor)[None], SamplingSettings(passes=100))
    taken_for = old[int(prediction.index[0])]
    if prediction.rejected[0] or symmetry(taken_for.unit) != symmetry(crystal.unit):
        return
    raise InputError(
        f"structure file {str(path)!r} is of the type of the class {taken_for.label} ({taken_for.info.name}): "
        f"same space group and sites with other lattice parameters, and the model calls it that with probability "
        f"{prediction.probabilities[0].max():.2f}. To hold the two apart, allow similar structures "
        "(`--allow-similar`)"
    )


def reduced(
    samples: PaperSamples | PerturbedSamples, settings: AddSettings
) -> PaperSamples | PerturbedSamples:
    """Samples of the same kind in reduced number, to remember the old classes by."""
    if isinstance(samples, PaperSamples):
        return replace(samples, r_cut=_ends(samples.r_cut), sigma=_ends(samples.sigma)[:2])
    few, more = -(-settings.replay_alloys // 6), settings.replay_alloys
    limits = {
        "pristine": 1,
        "whole": settings.replay_whole,
        "boxes": settings.replay_boxes,
        "disorder": settings.replay_disorder,
        **dict.fromkeys(("few_disordered", "ionic", "gas", "glassy_sheets"), settings.replay_disorder // 3),
        **dict.fromkeys(NEITHER, 0),
        **dict.fromkeys(("close_packed_alloys", "ordering", "faults"), more),
        **dict.fromkeys(REAL, few // 4),
    }
    return replace(samples.at_most(limits, others=few), box_factors=_few(samples))


def _few(samples: PerturbedSamples) -> dict[str, int]:
    """Box factors, cut off at three."""
    return {label: min(n, 3) for label, n in samples.box_factors.items()}


def _ends(values: tuple[float, ...]) -> tuple[float, ...]:
    """First, middle and last, each once."""
    return tuple(sorted({values[0], values[len(values) // 2], values[-1]}))


def enough(
    samples: PaperSamples | PerturbedSamples, settings: AddSettings
) -> PaperSamples | PerturbedSamples:
    """Samples of new classes: all that the recipe makes of one class, up to the settings' numbers."""
    if isinstance(samples, PaperSamples):
        return samples
    of_none = without_class()
    limits = {"whole": settings.whole, "boxes": settings.boxes, **dict.fromkeys(REAL, settings.near)}
    return samples.at_most({**limits, **dict.fromkeys(of_none, 0)})


def alike(base: Model, old: Sequence[Crystal], new: Sequence[Crystal]) -> tuple[Crystal, ...]:
    """Old classes as which the model takes the new crystals, rejected or not; what they could lose most to."""
    features = np.stack([describe(crystal.unit, base.descriptor) for crystal in new])
    found = base.predict(features, SamplingSettings(passes=100)).probabilities.max(axis=0) >= NEAR
    return tuple(crystal for crystal, near in zip(old, found, strict=True) if near)


def near_only(samples: PaperSamples | PerturbedSamples, settings: AddSettings) -> PerturbedSamples:
    """Boxes and real samples of the old classes that are like the new ones, where the recipe makes such."""
    if isinstance(samples, PaperSamples):
        return PerturbedSamples().at_most({}, others=0)
    again = dict.fromkeys(("boxes", *REAL), -(-settings.near // 2))
    return replace(samples.at_most(again, others=0), box_factors=_few(samples))


def unknown_only(samples: PaperSamples | PerturbedSamples, settings: AddSettings) -> PerturbedSamples:
    """Crystals that are none of the old and none of the new classes, where the recipe makes such."""
    if isinstance(samples, PaperSamples):
        return PerturbedSamples().at_most({}, others=0)
    number = settings.replay_unknown
    return samples.at_most({name: number if name == "unknown" else number // 3 for name in NEITHER}, others=0)


def fine_tuning(base: Model, recipe: Recipe, settings: AddSettings, name: str) -> Recipe:
    """The recipe of the further training."""
    network = NetworkSettings(
        hidden=base.card.hidden, dropout=base.card.dropout, reject=base.card.reject.kind == "head"
    )
    optimisation = replace(
        recipe.fit, epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate,
        schedule="cosine", keep="last", average=0.0,
    )  # fmt: skip
    return replace(
        recipe, name=name, seed=settings.seed, network=network, fit=optimisation, classes=(), further=None
    )


@threads.one_torch_thread()
def grown(base: Model, n_new: int) -> DropoutMLP:
    """The model's network with `n_new` more classes, whose outputs start at the mean of the others'."""
    weights = base.weights()
    n_old = len(base.classes)
    last = f"layers.{len(base.card.hidden)}"
    for name in (f"{last}.weight", f"{last}.bias"):
        rows = torch.from_numpy(weights[name])
        more = rows[:n_old].mean(dim=0, keepdim=True).expand(n_new, *rows.shape[1:])
        weights[name] = torch.cat([rows[:n_old], more, rows[n_old:]]).numpy()
    return build_network(base.card, weights, n_old + n_new)


def extended_training(
    base: Model, recipe: Recipe, old: Sequence[Crystal], new: Sequence[Crystal], sources: Sequence[CrystalFile],
    settings: AddSettings, fitted: Fitted, n_samples: int,
) -> dict[str, Any]:  # fmt: skip
    """Entry `training` of the card: the recipe of the first training and all that came after it."""
    before = base.card.training
    table = {c.label for c in prototype_crystals()}
    own = [c for c in (*old, *new) if c.label not in table or c in new]
    step = {
        "step": "add-class",
        "base": {"name": base.name, "weights_sha256": base.card.weights_sha256},
        "files": [s.to_dict() for s in sources],
        "settings": asdict(settings),
        "samples": n_samples,
        "kept_epoch": fitted.epoch,
        "package_version": package_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    return {
        **before,
        "recipe": recipe.to_dict(),
        "crystals": to_plain(own),
        "steps": [*before.get("steps", ()), step],
    }


def remove_classes(
    labels: Sequence[str], out: Path, *, model: str | Path = DEFAULT_MODEL, overwrite: bool = False
) -> tuple[Model, str]:
    """A model that knows fewer classes: the others keep their outputs, their probabilities add up to 1 again.

    Writes `model.safetensors`, `model.pt`, `card.json` and `report.md` into `out`. What a pass of the network
    called one of the classes that stay, it calls so still.

    Args:
        labels: labels, names or identifiers of the classes.
        out: folder for the model.
        model: a name of the zoo or a path.
        overwrite: allow an `out` that is not empty.

    Raises:
        FileExistsError: an `out` with contents.
        ValueError: a class that the model does not know or that is named twice, or fewer than two that would be left.
    """
    check_folder(out, overwrite)
    base = load_model(model)
    crystals = crystals_of(base.card)
    if not labels:
        raise InputError("`labels` is empty: name at least one class")
    gone = [base.class_info.find(label, "labels") for label in labels]
    if len(set(gone)) != len(gone):
        raise InputError(f"`labels` names a class twice: {list(labels)}")
    left = [k for k in range(len(base.classes)) if k not in gone]
    if len(left) < 2:
        raise InputError(
            f"`labels` must leave at least two of the {len(base.classes)} classes, {len(left)} are left"
        )
    fresh_folder(out, overwrite)
    weights = base.weights()
    last = f"layers.{len(base.card.hidden)}"
    rows = [*left, *range(len(base.classes), len(weights[f"{last}.bias"]))]
    for name in (f"{last}.weight", f"{last}.bias"):
        weights[name] = weights[name][rows]
    network = build_network(base.card, weights, len(left))
    before = base.card.training
    removed = [base.class_info[k] for k in gone]
    step = {
        "step": "remove-class",
        "base": {"name": base.name, "weights_sha256": base.card.weights_sha256},
        "labels": [c.label for c in removed],
        "package_version": package_version(),
    }
    kept = {base.classes[k] for k in left}
    training = {**before, "steps": [*before.get("steps", ()), step]}
    if "crystals" in before:
        training["crystals"] = [row for row in before["crystals"] if row["label"] in kept]
    card = replace(
        base.card,
        name=out.name,
        description=f"{base.name} without {', '.join(c.name for c in removed)}.",
        classes=ClassTable.of(base.class_info[k] for k in left),
        weights_sha256=network_digest(network),
        sureness=None,
        package_version=package_version(),
        training=training,
        accuracy={},
    )
    export(network, card, out)
    result = load_model(out)
    text = removal_report(base, result, gone, crystals)
    write_atomically(out / "report.md", lambda path: path.write_text(text, encoding="utf-8"))
    return result, text
