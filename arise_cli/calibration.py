"""`arise calibrate`: a reject threshold with a promise, from frames that the user knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from arise_cli.completion import class_names
from arise_cli.console import bar, check_places, print_table, say, say_json, say_written
from arise_cli.options import (
    Draw,
    Format,
    Json,
    ModelOption,
    ModeOption,
    Overwrite,
    RangesOption,
    ReaderOption,
    TypesOption,
    check_suffix,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_cli.recognition import read_structures
from arise_core.crystals.naming import NONE
from arise_core.settings import (
    CONFIDENCE,
    DEFAULT_MODEL,
    MAP_TOLERANCE,
    RATE,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from arise_core.model.calibration import Calibration
    from arise_core.model.model import Model


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("calibrate")(calibrate_model)


@takes(MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def calibrate_model(
    files: Annotated[
        list[str], typer.Argument(help="Frames that ASE or OVITO reads; `melt.xyz@::50` picks some.")
    ],
    label: Annotated[
        list[str],
        typer.Option(
            help="What the frames are: 'none' (no crystal: a melt, say) or a class, such as fcc. Once for all files, "
            "or once for each.",
            autocompletion=class_names,
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Write the calibration here (.json); then give it as --model.")
    ] = Path("calibration.json"),
    rate: Annotated[float, typer.Option(help="Share of errors, at most.")] = RATE,
    confidence: Annotated[
        float, typer.Option(help="Probability that the rate is kept; 0: it is on average, with fewer frames.")
    ] = CONFIDENCE,
    unit: Annotated[
        str, typer.Option(help="What is independent: 'frame', or 'file', if frames of a file are alike.")
    ] = "frame",
    model: ModelOption = DEFAULT_MODEL,
    mode: ModeOption = "auto",
    as_json: Json = False,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Overwrite = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Set the reject threshold for your own material, with a promise how rare errors are in frames like yours."""
    from arise_core.recognition.calibrating import calibrate
    from ase_arise.convert import as_model

    check_suffix(out, ".json", "out")
    check_places([out], overwrite)
    if unit not in ("frame", "file"):
        raise typer.BadParameter(f"must be 'frame' or 'file', got {unit!r}", param_hint="--unit")
    if len(label) not in (1, len(files)):
        raise typer.BadParameter(
            f"must be given once, or once for each of the {len(files)} files, got {len(label)}",
            param_hint="--label",
        )
    RecognitionSettings.of({"mode": mode, **settings})
    labels = label * len(files) if len(label) == 1 else label
    read_by = chosen_reader(reader, kind, ranges)
    network = as_model(model)
    seed = settings["seed"] if draw else None
    found = [read_structures([file], read_by, types, draw=seed) for file in files]
    for own in labels:
        if own != NONE:
            network.class_info.find(own, "--label")
    counts = [len(frames) for frames in found]
    with bar("calibrate") as progress:
        made = calibrate(
            [f.material for frames in found for f in frames],
            network,
            [own for own, n in zip(labels, counts, strict=True) for _ in range(n)],
            name=out.stem,
            rate=rate,
            confidence=confidence or None,
            units=[k for k, n in enumerate(counts) for _ in range(n)] if unit == "file" else None,
            progress=progress,
            mode=mode,
            **settings,
        )
    made.write(out)
    say_written(out)
    for note in made.notes:
        say(note, error=True)
    if as_json:
        say_json(_record(made, network))
        return
    say(made.said)
    print_table(_table(made, network))


def _thresholds(made: Calibration, network: Model) -> dict[str, float]:
    """Those that are shown."""
    own = network.card.reject.threshold
    return {"calibrated": made.threshold, **({} if own is None else {"of the card": own})}


def _record(made: Calibration, network: Model) -> dict[str, Any]:
    """All that is printed, in plain types."""
    rates = {"false_crystals": made.false_crystals, "false_rejections": made.false_rejections}
    rows = []
    for name, threshold in _thresholds(made, network).items():
        row: dict[str, Any] = {"threshold": threshold, "of": name}
        for key, known in rates.items():
            rate, bound = (None, None) if known is None else known.at(threshold)
            row |= {key: rate, f"{key}_bound": bound}
        rows.append(row)
    kept = ("name", "model", "threshold", "rate", "confidence", "unit", "mode", "settings", "frames")
    return {
        **{key: getattr(made, key) for key in kept},
        "promises": list(made.promises),
        "thresholds": rows,
        "notes": list(made.notes),
    }


def _table(made: Calibration, network: Model) -> Table:
    """Rates and their bounds at the threshold found and at that of the card."""
    table = Table("Threshold", "", "False crystals", "at most", "False rejections", "at most")
    for row in _record(made, network)["thresholds"]:
        cells = [
            "–" if row[key] is None else f"{row[key]:.2%}"
            for name in ("false_crystals", "false_rejections")
            for key in (name, f"{name}_bound")
        ]
        table.add_row(f"{row['threshold']:.4g}", row["of"], *cells)
    return table
