"""Calibrations: a reject threshold for a user's own material with a promise, as a file that stands for its model.

`arise calibrate` (`arise_core.calibrate`) writes the file. Given wherever a model is asked for, it is that model, with
the threshold of the calibration in place of the card's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.errors import InputError, ModelError
from arise_core.model.entries import list_of, number_of, object_of, read_json, text_of, whole_of
from arise_core.runtime.files import write_atomically
from arise_core.runtime.notebooks import html_table
from arise_core.settings import MapSettings, SamplingSettings, options_of

FORMAT = "arise-calibration"
FORMAT_VERSION = 1
SUFFIX = ".json"
#: Largest file, bytes, and most entries of a list in it.
MAX_FILE = 2**20
MOST = 10_000
#: What a calibration can promise to be rare: disorder that passes for a crystal, or crystals that are rejected.
FALSE_CRYSTALS, FALSE_REJECTIONS = "false crystals", "false rejections"


@dataclass(frozen=True, kw_only=True)
class Rates:
    """A rate by threshold, as measured on frames, with the bound that they promise for each threshold by itself."""

    thresholds: tuple[float, ...]  # ascending
    rates: tuple[float, ...]  # means over units
    bounds: tuple[float, ...]  # upper ones
    units: int
    rising: bool  # with the threshold, as of false crystals; false rejections fall

    def at(self, threshold: float | None) -> tuple[float, float]:
        """Rate and bound at a threshold, None for never: those of the nearest one that is kept on the safe side."""
        if threshold is None:
            threshold = np.inf
        if self.rising:
            k = int(np.searchsorted(self.thresholds, threshold, side="left"))
            return (self.rates[k], self.bounds[k]) if k < len(self.rates) else (1.0, 1.0)
        k = int(np.searchsorted(self.thresholds, threshold, side="right")) - 1
        return (self.rates[k], self.bounds[k]) if k >= 0 else (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A reject threshold and what it promises.

    Args:
        name: of the calibration.
        model: name of the model in the zoo, or path of its file.
        model_sha256: of all that its answers depend on (`Model.sha256`).
        package_version: that made it.
        threshold: score from which something is rejected.
        promises: what is rare: "false crystals", "false rejections", or both.
        rate: that each does not exceed.
        confidence: probability, over the calibration frames, that it does not; None: it does not on average over them.
        unit: what was counted: "frame" or "file".
        mode: "whole": a structure has one score; "local": its atoms have one each, and the rate is a share of them.
        settings: of boxes and passes.
        frames: number of frames by label.
        false_crystals: rates of frames labelled "none"; None without such.
        false_rejections: rates of frames of a class; None without such.
        notes: what is to be known.
    """

    name: str
    model: str
    model_sha256: str
    package_version: str
    threshold: float
    promises: tuple[str, ...]
    rate: float
    confidence: float | None
    unit: str
    mode: str
    settings: dict[str, Any]
    frames: dict[str, int]
    false_crystals: Rates | None = None
    false_rejections: Rates | None = None
    notes: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The promises in a sentence each."""
        of = "atoms" if self.mode == "local" else "structures"
        sure = "on average" if self.confidence is None else f"with a confidence of {self.confidence:.3g}"
        said = []
        for what, done, rates in (
            (FALSE_CRYSTALS, "pass for a crystal", self.false_crystals),
            (FALSE_REJECTIONS, "are rejected", self.false_rejections),
        ):
            if what in self.promises and rates is not None:
                frames = "labelled none" if what == FALSE_CRYSTALS else "of crystals"
                said.append(
                    f"at most {self.rate:.3g} of the {of} {done} ({rates.units} {self.unit}s {frames})"
                )
        return f"reject from {self.threshold:.6g}: {' and '.join(said)}, {sure}{' each' if len(said) > 1 else ''}"

    def _repr_html_(self) -> str:
        rows = [
            (label, *((None, None, None) if rates is None else (rates.units, *rates.at(self.threshold))))
            for label, rates in (
                (FALSE_CRYSTALS, self.false_crystals),
                (FALSE_REJECTIONS, self.false_rejections),
            )
        ]
        columns = (f"At {self.threshold:.4g}", f"{self.unit.capitalize()}s", "Rate", "At most")
        title = f"Calibration {self.name} of {self.model}"
        return html_table(title, columns, rows, notes=(self.said, *self.notes))

    def differing(self, mode: str, boxes: MapSettings, sampling: SamplingSettings) -> str:
        """How other settings than those of the calibration differ, such as "box_size 12.0 for 16.0"; "" if none do."""
        if mode != self.mode:
            return f"mode {mode} for {self.mode}"
        given = settings_that_count(mode, boxes, sampling)
        return ", ".join(
            f"{k} {v} for {self.settings.get(k)}" for k, v in given.items() if v != self.settings.get(k)
        )

    def to_json(self) -> str:
        """JSON text; `from_json` is the inverse."""
        return (
            json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}, indent=1) + "\n"
        )

    def write(self, path: Path) -> None:
        """Write it as a file.

        Raises:
            InputError: the name does not end in .json.
            FileError: the system does not let it.
        """
        if path.suffix != SUFFIX:
            raise InputError(f"`path` of a calibration must end in {SUFFIX}, got {str(path)!r}")
        write_atomically(path, lambda place: place.write_text(self.to_json(), encoding="utf-8"))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read and check.

        Raises:
            InputError: no calibration, of a newer format, or with entries that are missing or do not fit.
        """
        try:
            data = object_of(read_json(text), "calibration")
            if data.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            if data.pop("format_version", None) != FORMAT_VERSION:
                raise ValueError(f"its format version is not {FORMAT_VERSION}")
            return _checked(data)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(f"no calibration of ARISE, or a damaged one: {error}") from error


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        ModelError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise InputError(f"the file has more than {MAX_FILE} bytes, no calibration has")
        return Calibration.from_json(content.decode("utf-8"))
    except OSError as error:
        raise ModelError(f"calibration {str(path)!r} cannot be read: {error}") from error
    except (InputError, UnicodeDecodeError) as error:
        said = "".join(c if c.isprintable() else "?" for c in str(error)[:400])
        raise ModelError(f"calibration {str(path)!r}: {said}") from error


def settings_that_count(mode: str, boxes: MapSettings, sampling: SamplingSettings) -> dict[str, Any]:
    """The settings on which scores depend, in plain types."""
    if mode == "whole":
        return {"passes": sampling.passes, "seed": sampling.seed, "min_atoms": boxes.min_atoms}
    boxes = boxes.resolved(several=False)  # of which a calibration is
    counted: list[tuple[Any, str]] = [
        (boxes, name) for name, (_, option) in options_of(MapSettings).items() if option.result
    ]
    counted += [(sampling, name) for name in options_of(SamplingSettings)]
    return {name: getattr(owner, name) for owner, name in counted}


def _checked(data: dict[str, Any]) -> Calibration:
    """The calibration that JSON data are, every entry checked."""
    known = {f.name for f in fields(Calibration)}
    if set(data) != known:
        raise ValueError(f"entries {sorted(set(data) ^ known)} are missing or unknown")
    for name in ("name", "model_sha256", "package_version", "unit", "mode"):
        text_of(data[name], name)
    text_of(data["model"], "model", 4096)
    promises = tuple(list_of(data["promises"], "promises", 1, 2))
    if not all(p in (FALSE_CRYSTALS, FALSE_REJECTIONS) for p in promises):
        raise ValueError(
            f"`promises` must be {FALSE_CRYSTALS!r}, {FALSE_REJECTIONS!r} or both, got {promises!r:.60}"
        )
    for name, choices in (("unit", ("frame", "file")), ("mode", ("whole", "local"))):
        if data[name] not in choices:
            raise ValueError(f"`{name}` must be one of {choices}, got {data[name]!r:.40}")
    number_of(data["threshold"], "threshold", 0, 1)
    number_of(data["rate"], "rate", 0, 1)
    if data["confidence"] is not None:
        number_of(data["confidence"], "confidence", 0, 1)
    for name, value in object_of(data["settings"], "settings").items():
        if not isinstance(value, str | int | float | None):
            raise ValueError(
                f"`settings.{text_of(name, 'settings')}` must be a number or a word, got {value!r:.40}"
            )
    for label, count in object_of(data["frames"], "frames").items():
        whole_of(count, f"frames.{text_of(label, 'frames')}", 1, 10**9)
    notes = tuple(text_of(n, "notes", 1000) for n in list_of(data["notes"], "notes", 0, 100))
    rates: dict[str, Any] = {k: _rates(data[k], k) for k in ("false_crystals", "false_rejections")}
    return Calibration(**{**data, "promises": promises, "notes": notes, **rates})


def _rates(data: Any, name: str) -> Rates | None:
    if data is None:
        return None
    found = object_of(data, name)
    columns: dict[str, tuple[float, ...]] = {}
    for key in ("thresholds", "rates", "bounds"):
        values = list_of(found[key], f"{name}.{key}", 1, MOST)
        columns[key] = tuple(number_of(v, f"{name}.{key}", 0, 1) for v in values)
    if len({len(column) for column in columns.values()}) != 1 or sorted(columns["thresholds"]) != list(
        columns["thresholds"]
    ):
        raise ValueError(f"`{name}` must have as many rates as thresholds, which ascend")
    if type(found["rising"]) is not bool or found["rising"] != (name == "false_crystals"):
        raise ValueError(f"`{name}.rising` does not fit")
    return Rates(**columns, units=whole_of(found["units"], f"{name}.units", 1, 10**9), rising=found["rising"])
