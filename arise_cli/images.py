"""`arise image`: what is in micrographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arise_cli.console import (
    Output,
    Record,
    bar,
    check_places,
    finish,
    matrix_csv,
    matrix_table,
    number,
    print_table,
    refuse_source,
    say,
    say_written,
    write_file,
)
from arise_cli.options import Csv, Json, ModelOption, Overwrite, Strict, Top, check_suffix, takes
from arise_core.crystals.naming import NONE, REJECTED
from arise_core.errors import FileError, InputError
from arise_core.progress import Step, run
from arise_core.settings import (
    DEFAULT_MODEL,
    LAYER,
    MAP_TOLERANCE,
    TOP,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
    options_of,
)
from arise_images.settings import ColumnSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arise_core.model.model import Model
    from arise_images.files import Micrograph
    from arise_images.layers import ImageRecognition

MASKS = ("auto", "none")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("image")(recognise_images)


@dataclass(frozen=True)
class Asked:
    """How images are looked at."""

    pixel: float | None
    elements: tuple[str, ...] | None
    one_layer: bool
    mask: Any
    columns: ColumnSettings
    options: RecognitionSettings


@takes(ColumnSettings, MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def recognise_images(
    source: Annotated[str, typer.Argument(help="Image, or folder of images: TIFF, PNG, DM3, DM4, EMD, MRC.")],
    model: ModelOption = DEFAULT_MODEL,
    pixel: Annotated[
        float, typer.Option("--pixel", help="Size of a pixel, Å; 0: as the file says, or not known.")
    ] = 0.0,
    elements: Annotated[
        str, typer.Option("--elements", help="One to three elements, told apart by brightness: B,N.")
    ] = "",
    one_layer: Annotated[
        bool,
        typer.Option(
            "--layer",
            help="The sample is one layer thick; else a pattern that crystals show too is undecided.",
        ),
    ] = False,
    mask: Annotated[
        str,
        typer.Option(
            "--mask",
            help="auto: scale bars and borders are left out; none; or an image that is not 0 where to look away.",
        ),
    ] = "auto",
    top: Top = TOP,
    as_json: Json = False,
    as_csv: Csv = False,
    atoms_out: Annotated[
        Path | None, typer.Option("--atoms", help="Write the columns as atoms here (.xyz, .traj, .db, ...).")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw it over the image here (.png).")] = None,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="Also how alike the images of a folder are, as a matrix.")
    ] = False,
    layer: Annotated[int, typer.Option("--hidden", help="Hidden layer of the matrix: 0 the first.")] = LAYER,
    out: Annotated[Path | None, typer.Option(help="Write the matrix here (.csv).")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the matrix here (.png).")] = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    **settings: Any,
) -> None:
    """Find the columns of atoms in micrographs, and what layer they are; a folder's are ranked by doubt."""
    from arise_images.files import images_in
    from ase_arise.convert import as_model

    output = Output.checked(as_json, as_csv, None, overwrite)
    check_suffix(plot, ".png", "plot")
    check_suffix(out, ".csv", "out")
    check_suffix(picture, ".png", "picture")
    if atoms_out is not None:
        from ase_arise.storage import format_of

        format_of(atoms_out)  # refuses what cannot be written
    check_places([atoms_out, plot, out, picture], overwrite)
    place = Path(source)
    paths = images_in(place) if place.is_dir() else [place]
    for path in paths:
        refuse_source(str(path), [atoms_out, plot, out, picture])
    _check_usage(place.is_dir(), plot, similarity, out, picture)
    asked = _asked(pixel, elements, one_layer, mask, settings)
    network = as_model(model)
    if similarity:
        from arise_core.recognition.comparison import check_layer

        check_layer(network, layer)
    done = _all_of(paths, asked, network, stop=not place.is_dir())
    ranked = sorted(done, key=lambda pair: -_doubt(pair[1]))
    records = [_record(image, found, top) for image, found in ranked]
    if atoms_out is not None:
        _write_atoms(atoms_out, ranked, network.name)
    if plot is not None:
        _draw(plot, *ranked[0])
    if output.form == "table":
        print_table(_table(records))
    else:
        output.write(records)
    for record in records:
        for note in record["notes"]:
            say(f"{record['file']}: {note}", error=True)
    if similarity:
        _compare(done, network, layer, out, picture)
    finish(strict and (len(done) < len(paths) or any(r["label"] in (NONE, REJECTED) for r in records)))


def _check_usage(
    folder: bool, plot: Path | None, similarity: bool, out: Path | None, picture: Path | None
) -> None:
    """Refuse options that go with one image only, or with several only."""
    if folder and plot is not None:
        raise typer.BadParameter("takes one image, not a folder", param_hint="--plot")
    if similarity and not folder:
        raise typer.BadParameter("takes a folder of images", param_hint="--similarity")
    if not similarity and (out is not None or picture is not None):
        raise typer.BadParameter("--out and --picture are for the matrix of --similarity")


def _asked(pixel: float, elements: str, one_layer: bool, mask: str, settings: dict[str, Any]) -> Asked:
    """What the options say, checked before any work."""
    from arise_images.columns import check_pixel_size
    from arise_images.elements import parse_elements
    from arise_images.files import read_image

    size = None if pixel == 0 else pixel
    check_pixel_size(size)
    symbols = tuple(word.strip() for word in elements.split(",")) if elements else None
    if symbols is not None:
        parse_elements(symbols)
    columns = ColumnSettings(**{name: settings.pop(name) for name in options_of(ColumnSettings)})
    try:
        where = mask if mask in MASKS else read_image(mask).image != 0
    except (InputError, FileError) as error:
        raise typer.BadParameter(str(error), param_hint="--mask") from error
    return Asked(size, symbols, one_layer, where, columns, RecognitionSettings.of(settings))


def _all_of(
    paths: Sequence[Path], asked: Asked, model: Model, stop: bool
) -> list[tuple[Micrograph, ImageRecognition]]:
    """What is in each image. One of several that cannot be read or has no columns is named and left out."""
    done = []
    with bar("image") as progress:
        for k, path in enumerate(paths):
            progress(Step(k / len(paths), path.name))
            try:
                done.append(_one(path, asked, model))
            except (InputError, FileError) as error:
                if stop:
                    raise
                say(f"{path.name}: left out: {error}", error=True)
        progress(Step(1.0))
    if not done:
        raise InputError("none of the images shows columns")
    return done


def _one(path: Path, asked: Asked, model: Model) -> tuple[Micrograph, ImageRecognition]:
    from arise_images import find_atoms, read_image, recognise_layer, tell_elements

    image = read_image(path)
    size = asked.pixel if asked.pixel is not None else image.pixel_size
    columns = find_atoms(image.image, size, mask=asked.mask, settings=asked.columns)
    columns = tell_elements(columns, asked.elements)
    return image, recognise_layer(columns, model, one_layer=asked.one_layer, settings=asked.options)


def _doubt(found: ImageRecognition) -> float:
    """For the order of images: what has no name comes first."""
    return math.inf if math.isnan(found.doubt) else found.doubt


def _record(image: Micrograph, found: ImageRecognition, top: int) -> Record:
    classes = found.whole.classes
    return {
        "file": image.name,
        **found.record(),
        "notes": [*image.notes, *found.notes],
        "fractions": found.local.fractions,
        "top": [
            {"label": classes.short[k], "class": classes[k].label, "probability": p}
            for k, p in found.whole.top(top)
        ],
    }


def _table(records: Sequence[Record]) -> Table:
    from rich.table import Table

    table = Table(
        "Image", "Columns", "Label", "Doubt (bit)", "Pattern", "Confidence", "MI (bit)", "Projection (bit)",
        "Spacing (Å)", "Error (Å)", "Defective", "Rings", "Shares of the columns",
    )  # fmt: skip
    for r in records:
        rings = ", ".join(f"{k}: {v}" for k, v in r["rings"].items())
        shares = ", ".join(f"{name} {share:.1%}" for name, share in r["fractions"].items())
        spacing = f"{r['spacing']:.2f}" if r["pixel_size_known"] else "–"
        error = f"{r['position_error']:.3f}" if r["pixel_size_known"] else "–"
        table.add_row(
            r["file"], str(r["n_columns"]), r["label"], number(r["doubt"]), r["pattern"],
            number(r["confidence"]), number(r["mutual_information"]), number(r["projection_doubt"]),
            spacing, error, f"{r['defective']:.1%}", rings, shares,
        )  # fmt: skip
    return table


def _write_atoms(path: Path, done: Sequence[tuple[Micrograph, ImageRecognition]], model_name: str) -> None:
    """The columns as annotated atoms, a frame an image."""
    from arise_core.geometry.material import Material
    from ase_arise.annotation import write_results
    from ase_arise.convert import to_atoms
    from ase_arise.storage import write

    frames = []
    for image, found in done:
        columns = found.columns
        atoms = to_atoms(columns.structure)
        write_results(atoms, found.local, model_name, Material.of(columns.structure))
        atoms.set_array("column_error", columns.errors)
        atoms.set_array("column_brightness", columns.brightness)
        atoms.set_array("column_element_doubt", columns.kind_doubt)
        atoms.info.update(image=image.name, pixel_size=columns.pixel_size, image_label=found.label)
        frames.append(atoms)
    write(path, frames)
    say_written(path)


def _draw(path: Path, image: Micrograph, found: ImageRecognition) -> None:
    from arise_images import draw_layer

    figure = draw_layer(image.image, found)
    write_file(path, lambda place: figure.savefig(place, format="png"))


def _compare(
    done: Sequence[tuple[Micrograph, ImageRecognition]],
    model: Model,
    layer: int,
    out: Path | None,
    picture: Path | None,
) -> None:
    """How alike the images are, as Figure 3d."""
    from arise_cli.figures import draw
    from arise_core.recognition.comparison import similarity_steps

    names = [image.name for image, _ in done]
    structures = [found.columns.structure for _, found in done]
    matrix = run(similarity_steps(structures, model, layer))
    if out is not None:
        write_file(out, lambda path: path.write_text(matrix_csv(names, matrix), encoding="utf-8"))
    if picture is not None:
        write_file(picture, lambda path: draw(matrix, names, path, layer % model.n_layers))
    print_table(matrix_table(names, matrix))
