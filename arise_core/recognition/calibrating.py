"""A reject threshold for a user's own material, with a promise: frames that he knows in, a calibration out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from arise_core.crystals.naming import NONE, short_name
from arise_core.errors import InputError, InputTypeError, check_type, shown
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.calibration import (
    FALSE_CRYSTALS,
    FALSE_REJECTIONS,
    Calibration,
    Rates,
    settings_that_count,
)
from arise_core.model.classes import ClassTable
from arise_core.model.conformal import (
    Scores,
    check_promise,
    fewest_units,
    largest_threshold,
    smallest_threshold,
    upper_bound,
)
from arise_core.model.contents import name_in_zoo
from arise_core.model.model import Model, check_model
from arise_core.progress import Job, Progress, part, run, silent
from arise_core.recognition.result import Recognition, recognise_steps, settled
from arise_core.settings import CONFIDENCE, RATE, RecognitionSettings, check_number

Unit = Literal["frame", "file"]
#: Thresholds that a calibration knows rates of, beside those that scores suggest.
GRID = (*np.round(np.geomspace(1e-4, 0.1, 25), 6), *np.round(np.linspace(0.15, 1.0, 18), 2))
SUGGESTED = 100
#: Frames from which neighbours are compared, and standard errors from which they are called alike.
ENOUGH, ALIKE = 10, 2.0


def calibrate(
    structures: Sequence[Structure | Material],
    model: Model,
    labels: Sequence[str] | str,
    *,
    name: str = "calibration",
    rate: float = RATE,
    confidence: float | None = CONFIDENCE,
    units: Sequence[Hashable] | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Calibration:
    """The reject threshold at which errors are promised to be rare in frames like these.

    With frames that hold no crystal (label "none": a melt, a glass, another crystal) at most `rate` of such matter
    passes for a crystal. With frames of classes, at most `rate` of them is rejected. With both, the first comes first;
    the other is promised if one threshold can keep both. Of the thresholds that do, it is the one nearest to that of
    the card: where that keeps the promise, it stays. In mode "local" the rate is a share of atoms, averaged over
    frames, in mode "whole" of structures. Whether a crystal gets the right name is no matter of the threshold.

    The promise is about further frames drawn as these were, one by one and independently: with the probability
    `confidence` over the frames given, the rate is kept. Atoms of a frame are not independent, so frames count, however
    many atoms they have; nor are frames of a run that follow each other closely, which is noted. `conformal.py` has
    formulas and sources.

    Args:
        structures: frames, each of one label as a whole.
        model: from `load_model`.
        labels: of each structure, or of all: "none" or a class of the model.
        name: of the calibration.
        rate: of errors, at most.
        confidence: with which it is promised; None: on average over calibrations, for which fewer frames do.
        units: which frames belong together, such as all of a run, and count as one; None: each for itself.
        progress: called with the share of the work done.
        **options: of `RecognitionSettings.of` but `reject_threshold`: mode, box_size, stride, passes, ...

    Raises:
        InputError: too few frames for the promise, frames that no threshold can keep it for, a label that is no class,
            or settings that cannot be calibrated.
    """
    check_model(model)
    check_type("name", name, str, "a text")
    if "reject_threshold" in options:
        raise InputTypeError("`reject_threshold` is what a calibration finds, it takes none")
    settings = RecognitionSettings.of(options)
    rate = float(check_number("rate", rate))
    confidence = None if confidence is None else float(check_number("confidence", confidence))
    check_promise(rate, confidence)
    materials = _materials(structures)
    known = _labels(labels, len(materials), model)
    belongs: list[Hashable] = list(range(len(materials))) if units is None else _units(units, len(materials))
    settings = replace(settings, mode=_mode(materials, settings)).resolved(several=False)
    counted = {u for u, label in zip(belongs, known, strict=True) if (label == NONE) == (NONE in known)}
    fewest = fewest_units(rate, confidence)
    unit: Unit = "frame" if units is None else "file"
    if len(counted) < fewest:
        sure = "on average" if confidence is None else f"with a confidence of {confidence:g}"
        raise InputError(
            f"`structures` has {len(counted)} {unit}s for a rate of {rate:g} {sure}, it takes at least {fewest}: give "
            "more, or ask for less"
        )
    scores = run(_scores(materials, model, settings), progress)
    return _found(scores, known, belongs, model, settings, name, rate, confidence, unit)


def _found(
    scores: list[FloatArray], labels: list[str], belongs: list[Hashable], model: Model, settings: RecognitionSettings,
    name: str, rate: float, confidence: float | None, unit: Unit,
) -> Calibration:  # fmt: skip
    """The calibration that scores of frames make."""
    crystal = [label != NONE for label in labels]
    of_none = _grouped(scores, belongs, [not c for c in crystal])
    of_classes = _grouped(scores, belongs, crystal)
    low = None if of_classes is None else smallest_threshold(of_classes, rate, confidence)
    high = None if of_none is None else largest_threshold(of_none, rate, confidence)
    threshold, promises = _chosen(low, high, of_none is not None, model.card.reject.threshold, rate)
    return Calibration(
        name=name,
        model=_place(model),
        model_sha256=_uncalibrated(model).sha256,
        package_version=version("ovito-arise"),
        threshold=threshold,
        promises=promises,
        rate=rate,
        confidence=confidence,
        unit=unit,
        mode=settings.mode,
        settings=settings_that_count(settings.mode, settings.map, settings.sampling),
        frames={label: labels.count(label) for label in sorted(set(labels))},
        false_crystals=None
        if of_none is None
        else _rates(of_none, threshold, model, confidence, rising=True),
        false_rejections=None
        if of_classes is None
        else _rates(of_classes, threshold, model, confidence, rising=False),
        notes=_notes(scores, belongs, labels, unit),
    )


def _chosen(
    low: float | None, high: float | None, from_none: bool, own: float | None, rate: float
) -> tuple[float, tuple[str, ...]]:
    """The threshold nearest to the card's that keeps what can be promised, and what that is.

    Any threshold up to `high` keeps the rate of false crystals, any from `low` on that of false rejections. The first
    comes first where both cannot be kept. Without a threshold in the card, it is the one that rejects least, or least
    accepts, or half-way between.

    Args:
        low: smallest threshold that rejects few enough crystals; None: there is none, or no such frames.
        high: largest that takes little enough for crystals; None as before.
        from_none: whether there are frames without crystals.
        own: threshold of the card.
        rate: for the message.

    Raises:
        InputError: nothing can be promised.
    """
    least = low if low is not None and low <= 1 else None
    most = high if high is not None and high > 0 else None
    if (most if from_none else least) is None:
        what = (
            "takes too many of these frames for crystals" if from_none else "rejects too many of these frames"
        )
        raise InputError(
            f"no reject threshold keeps a rate of {rate:g}: the model {what}, whatever the threshold; are they what "
            "their labels say?"
        )
    if most is None:
        assert least is not None
        return (least if own is None else max(own, least)), (FALSE_REJECTIONS,)
    if least is None or least > most:
        return (most if own is None else min(own, most)), (FALSE_CRYSTALS,)
    middle = (least + most) / 2 if own is None else own
    return min(max(middle, least), most), (FALSE_CRYSTALS, FALSE_REJECTIONS)


# --- input --------------------------------------------------------------------------------------------------------


def _materials(structures: object) -> list[Material]:
    check_type("structures", structures, (list, tuple), "a list of Structure")
    found = []
    for k, structure in enumerate(structures):  # type: ignore[arg-type, var-annotated]
        if not isinstance(structure, Structure | Material):
            raise InputTypeError(f"`structures` must be arise_core.Structure, got {shown(structure)} at {k}")
        found.append(Material.of(structure))
    if not found:
        raise InputError("`structures` is empty")
    return found


def _class_of(classes: ClassTable, label: str) -> int:
    """Index of a class.

    Raises:
        InputError: there is none; what is no crystal at all has the label "none".
    """
    try:
        return classes.find(label, "labels")
    except InputError as error:
        raise InputError(
            f"{error}. Frames of melts, glasses and other crystals have the label {NONE!r}"
        ) from error


def _labels(labels: object, count: int, model: Model) -> list[str]:
    """Label of each frame: "none", or the short name of a class."""
    given = [labels] * count if isinstance(labels, str) else labels
    if not isinstance(given, list | tuple) or not all(isinstance(label, str) for label in given):
        raise InputTypeError(f"`labels` must be a label or a list of them, got {shown(labels)}")
    if len(given) != count:
        raise InputError(f"`labels` must be one for each of the {count} structures, got {len(given)}")
    classes = model.class_info
    known = {
        label: label if label == NONE else classes.short[_class_of(classes, label)] for label in set(given)
    }
    return [known[label] for label in given]


def _units(units: object, count: int) -> list[Hashable]:
    if not isinstance(units, list | tuple) or len(units) != count:
        raise InputError(
            f"`units` must be a list with one entry for each of the {count} structures, got {shown(units)}"
        )
    return list(units)


def _mode(materials: list[Material], settings: RecognitionSettings) -> Literal["whole", "local"]:
    """Whether frames have one score each or one an atom: the same for all.

    Raises:
        InputError: for some this and for others that, or boxes of several sizes.
    """
    local = {settings.is_local(len(material)) for material in materials}
    if len(local) > 1:
        raise InputError(
            "`mode` must be 'whole' or 'local' for structures of which some are large, got 'auto'"
        )
    if local == {True} and settings.map.resolution == "sharp":
        raise InputError(
            f"`resolution` must be 'single' to calibrate, got {settings.map.resolution!r}: how boxes of several sizes "
            "are read off depends on the threshold"
        )
    return "local" if local == {True} else "whole"


# --- scores -------------------------------------------------------------------------------------------------------


def _scores(materials: list[Material], model: Model, settings: RecognitionSettings) -> Job[list[FloatArray]]:
    """Reject scores of each frame: one, or one for each atom with a prediction.

    They are computed as by the model without calibration, and as by a calibrated one.
    """
    plain, n = _uncalibrated(model), len(materials)
    each = [settled(settings, material) for material in materials]
    found = []
    for k, (material, own) in enumerate(zip(materials, each, strict=True)):
        result: Recognition = yield from part(recognise_steps(material, plain, own), k / n, (k + 1) / n)
        if not result.valid:
            raise InputError(
                f"structure {k} has no prediction: too few atoms (`min_atoms` {own.map.min_atoms})"
            )
        score = result.atoms.reject_score[result.atoms.index >= 0]
        found.append(score[:1] if settings.mode == "whole" else score)
    return found


def _place(model: Model) -> str:
    """Where a calibration finds its model: its name in the zoo, or its file."""
    if model.calibration is not None:
        return model.calibration.model
    return name_in_zoo(model.path) or str(model.path.resolve())


def _uncalibrated(model: Model) -> Model:
    """The model with the threshold of its card."""
    return model if model.calibration is None else model.calibrated(None)


def _grouped(scores: list[FloatArray], belongs: list[Hashable], chosen: list[bool]) -> Scores | None:
    """Scores of the chosen frames, those of a unit together; None without any."""
    units: dict[Hashable, list[FloatArray]] = {}
    for score, unit, wanted in zip(scores, belongs, chosen, strict=True):
        if wanted:
            units.setdefault(unit, []).append(score)
    return Scores.of(list(units.values())) if units else None


def _rates(
    scores: Scores, threshold: float, model: Model, confidence: float | None, *, rising: bool
) -> Rates:
    """The rate by threshold: at the one found, at the card's, at round ones and where scores are."""
    places = np.linspace(0, len(scores.values) - 1, min(SUGGESTED, len(scores.values))).astype(int)
    own = model.card.reject.threshold
    chosen = np.unique([*GRID, threshold, *([] if own is None else [own]), *scores.values[places]])
    chosen = chosen[(chosen > 0) & (chosen <= 1)]
    below = scores.share_below(chosen)
    losses = below if rising else 1 - below
    bounds = upper_bound(losses, scores, confidence)
    return Rates(
        thresholds=tuple(chosen.tolist()),
        rates=tuple(np.clip(losses, 0, 1).tolist()),
        bounds=tuple(np.clip(bounds, 0, 1).tolist()),
        units=scores.units,
        rising=rising,
    )


def _notes(
    scores: list[FloatArray], belongs: list[Hashable], labels: list[str], unit: Unit
) -> tuple[str, ...]:
    """What speaks against the promise: units that follow each other and are alike."""
    notes = []
    for label in sorted(set(labels)):
        means: dict[Hashable, list[float]] = {}
        for score, own, of in zip(scores, belongs, labels, strict=True):
            if of == label:
                means.setdefault(own, []).append(float(score.mean()))
        x = np.array([np.mean(m) for m in means.values()])
        x -= x.mean()
        square = float((x**2).sum())
        if len(x) < ENOUGH or square == 0:
            continue
        alike = float((x[1:] * x[:-1]).sum()) / square
        if alike > ALIKE / np.sqrt(len(x)):
            count = max(1, round(len(x) * (1 - alike) / (1 + alike)))
            notes.append(
                f"{len(x)} {unit}s of {short_name(label)} that follow each other are alike (correlation {alike:.2f}), "
                f"they count as about {count}: take them farther apart, or the promise does not hold"
            )
    return tuple(notes)
