"""`arise classify`, `arise map` and `arise similarity`: what is in structure files."""

from __future__ import annotations

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
    print_table,
    refuse_source,
    say,
    say_written,
    write_file,
)
from arise_cli.options import (
    Csv,
    DeviceOption,
    Draw,
    Format,
    Json,
    ModelOption,
    Overwrite,
    RangesOption,
    ReaderOption,
    Strict,
    Top,
    TypesOption,
    check_suffix,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_core.errors import InputError, MissingFileError
from arise_core.runtime.packages import check_package
from arise_core.settings import (
    DEFAULT_MODEL,
    LAYER,
    MAP_TOLERANCE,
    TOP,
    KeptProbabilities,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
)

if TYPE_CHECKING:
    from arise_core.geometry.material import Material
    from arise_core.recognition.result import Recognition
    from ase_arise.reading import Reader


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("classify")(classify_files)
    app.command("map")(map_file)
    app.command("similarity")(compare_files)


@takes(SamplingSettings, MapSettings, only=("passes", "seed", "min_atoms"))
def classify_files(
    files: Annotated[
        list[str], typer.Argument(help="Files that ASE or OVITO reads; `md.xyz@-10:` picks frames.")
    ],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    top: Top = 1,
    as_json: Json = False,
    as_csv: Csv = False,
    out: Annotated[Path | None, typer.Option(help="Write JSON or CSV here instead (.json or .csv).")] = None,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Overwrite = False,
    strict: Strict = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Recognise structures as a whole: one label and uncertainty each, all frames of all files."""
    from arise_core.recognition.result import Recognition
    from arise_core.recognition.whole import classify
    from ase_arise.convert import as_model

    output = Output.checked(as_json, as_csv, out, overwrite)
    read_by = chosen_reader(reader, kind, ranges)
    network = as_model(model, device)
    found = read_structures(files, read_by, types, draw=settings["seed"] if draw else None)
    with bar("classify") as progress:
        prediction = classify([f.material for f in found], network, progress=progress, **settings)
    results = [Recognition.of_whole(prediction, k, len(f.material)) for k, f in enumerate(found)]
    _show(output, found, results, top, strict)


@takes(MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def map_file(
    file: Annotated[
        str, typer.Argument(help="File that ASE or OVITO reads; `md.xyz@0` picks a frame (default: last).")
    ],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    top: Top = TOP,
    as_json: Json = False,
    as_csv: Csv = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the map of one frame here, as NetCDF (.nc) or VTK (.vts).")
    ] = None,
    probabilities: Annotated[
        KeptProbabilities,
        typer.Option(help="In the map: of the five most probable classes of each box, or of all."),
    ] = "top",
    atoms_out: Annotated[
        Path | None, typer.Option("--atoms", help="Write the annotated atoms here (.xyz, .traj, .db, ...).")
    ] = None,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Overwrite = False,
    strict: Strict = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Slide a box over a structure: which class is where, and how sure. Prints the shares of the atoms."""
    from ase_arise.annotation import recognise_all, write_results
    from ase_arise.convert import as_model
    from ase_arise.reading import last_of
    from ase_arise.storage import format_of, write

    output = Output.checked(as_json, as_csv, None, overwrite)
    check_suffix(out, ".nc", "out", ".vts")
    if out is not None and out.suffix == ".nc":
        check_package("netCDF4", "a map as NetCDF needs netCDF4")
    if atoms_out is not None:
        format_of(atoms_out)  # refuses what cannot be written
    check_places([out, atoms_out], overwrite)
    refuse_source(file, [atoms_out])
    options = RecognitionSettings.of({"mode": "local", **settings})
    read_by = chosen_reader(reader, kind, ranges)
    network = as_model(model, device)
    found = read_structures([last_of(file)], read_by, types, draw=settings["seed"] if draw else None)
    if out is not None and len(found) > 1:
        raise typer.BadParameter(f"takes one frame, {file!r} has {len(found)}", param_hint="--out")
    with bar("map") as progress:
        results = list(recognise_all([f.material for f in found], network, options, progress, probabilities))
    if out is not None:
        field = results[0].field
        assert field is not None, "mode local has a map"
        field.write(out)
        say_written(out)
    if atoms_out is not None:
        annotated = [
            write_results(f.atoms, r, network.name, f.material) for f, r in zip(found, results, strict=True)
        ]
        write(atoms_out, annotated)
        say_written(atoms_out)
    _show(output, found, results, top, strict)


@takes(SamplingSettings, MapSettings, only=("seed", "min_atoms"))
def compare_files(
    structures: Annotated[
        list[str],
        typer.Argument(help="Files that ASE or OVITO reads (all frames), or classes by name, such as fcc."),
    ],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    types: TypesOption = "",
    draw: Draw = False,
    layer: Annotated[int, typer.Option(help="Hidden layer: 0 the first, -1 the last.")] = LAYER,
    out: Annotated[Path | None, typer.Option(help="Write the matrix here (.csv).")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw a heat map here (.png).")] = None,
    overwrite: Overwrite = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Cosine similarity of the network's representations of structures, as a matrix."""
    from arise_cli.figures import draw as draw_picture
    from arise_core.progress import run
    from arise_core.recognition.comparison import check_layer, similarity_steps
    from ase_arise.convert import as_model

    check_suffix(out, ".csv", "out")
    check_suffix(picture, ".png", "picture")
    check_places([out, picture], overwrite)
    read_by = chosen_reader(reader, kind, ranges)
    network = as_model(model, device)
    check_layer(network, layer)
    seed = settings.pop("seed")
    found = read_structures(structures, read_by, types, classes=True, draw=seed if draw else None)
    names = [f.name for f in found]
    with bar("similarity") as progress:
        matrix = run(similarity_steps([f.material for f in found], network, layer, **settings), progress)
    if out is not None:
        write_file(out, lambda path: path.write_text(matrix_csv(names, matrix), encoding="utf-8"))
    if picture is not None:
        write_file(picture, lambda path: draw_picture(matrix, names, path, layer % network.n_layers))
    print_table(matrix_table(names, matrix))


# --- structures in, records out -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A structure that a command works on."""

    name: str  # of the file, with the number of the frame where it has several
    atoms: Any  # an `ase.Atoms`, as it was read, with the elements of the material
    material: Material  # the one look at them


def read_structures(
    files: Sequence[str], reader: Reader, types: str, *, classes: bool = False, draw: int | None = None
) -> list[Found]:
    """All frames of files, checked. What was assumed of them is said on the error stream, once for all frames.

    Args:
        files: their names, as `ase.io` takes them.
        reader: how they are read.
        types: elements by type, as `--types` has them.
        classes: a name that is no file may be that of a class.
        draw: fill partly occupied sites at random, with this seed; None: they are refused.
    """
    from arise_core.crystals.species import parse_types
    from ase_arise.convert import frames, to_material
    from ase_arise.occupancy import occupied
    from ase_arise.species import with_elements

    elements = parse_types(types, "--types")
    found = []
    for file in files:
        said: set[str] = set()
        prototype = _prototype(file) if classes else None
        images = [prototype] if prototype is not None else list(frames(file, reader))
        for k, atoms in enumerate(images):
            name = f"{file} [{k}]" if len(images) > 1 else file
            if draw is not None:
                atoms = occupied(atoms, seed=draw)
            own = elements if prototype is None else None
            material = to_material(atoms, f"{name}: ", own, "--types")
            found.append(Found(name, with_elements(atoms, material), material))
            for note in material.notes:
                if note not in said:
                    say(f"{file}: {note}", error=True)
            said.update(material.notes)
    return found


def _prototype(name: str) -> Any:
    """`Atoms` of the smallest structure of a class; None for what is, or should be, a file.

    Raises:
        MissingFileError: neither a file nor a class; similar classes are named.
    """
    from arise_core.crystals.ideal import build
    from arise_core.crystals.table import prototype
    from arise_core.runtime.files import file_errors
    from ase_arise.convert import to_atoms

    with file_errors(f"file {name!r} cannot be read"):
        if Path(name).exists():
            return None
    try:
        known = prototype(name)
    except InputError as error:
        if Path(name).suffix:  # meant as a file, perhaps one that is missing
            return None
        raise MissingFileError(f"{name!r} is neither a file nor a class: {error}") from error
    return to_atoms(build(known))


def _show(
    output: Output, found: Sequence[Found], results: Sequence[Recognition], top: int, strict: bool
) -> None:
    output.write([_record(f, r, top) for f, r in zip(found, results, strict=True)])
    finish(strict and any(r.rejected or not r.valid for r in results))


def _record(found: Found, result: Recognition, top: int) -> Record:
    from ase_arise.convert import formula

    record: Record = {
        "file": found.name,
        "formula": formula(found.material),
        "n_atoms": len(found.material),
        **result.record(),
    }
    classes = result.classes
    record["top"] = [
        {"label": classes.short[k], "class": classes[k].label, "probability": p} for k, p in result.top(top)
    ]
    if result.mode == "local":
        record["fractions"] = result.fractions
    return record
