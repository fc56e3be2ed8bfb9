"""Commands that this adapter adds to `arise`. Heavy imports happen when a command runs.

Exit codes: 0 done; 1 input refused, nothing done; 2 wrong usage; 3 with `--strict`: done, but at least one
structure was rejected, has no prediction or (in screenings) failed; 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arise_core.settings import DEFAULT_MODEL, LAYER, SYMPREC, TOP, MapSettings, SamplingSettings

if TYPE_CHECKING:
    from arise_core.recognition.result import Overview

#: Exit code of `--strict`.
DOUBTFUL = 3

ModelOption = Annotated[str, typer.Option(help="Name of a model of the zoo, or a path.")]
Passes = Annotated[int, typer.Option(help="Forward passes with dropout.")]
Seed = Annotated[int, typer.Option(help="Seed of the dropout masks.")]
MinAtoms = Annotated[int, typer.Option(help="Open structures (or boxes) with fewer atoms get no label.")]
Top = Annotated[int, typer.Option(min=1, help="Classes shown for each structure.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 if a structure is rejected or has no label.")
]
BoxSize = Annotated[str, typer.Option(help="Edge of the boxes in Å, or 'auto' (about 100 atoms a box).")]
Stride = Annotated[float, typer.Option(help="Distance from box to box, Å.")]
Mode = Annotated[str, typer.Option(help="'whole', 'local', or 'auto': local for large structures.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("classify")(classify_files)
    app.command("map")(map_file)
    app.command("screen")(screen_source)
    app.command("similarity")(compare_files)


def classify_files(
    files: Annotated[list[str], typer.Argument(help="Files that ASE reads; `md.xyz@-10:` picks frames.")],
    model: ModelOption = DEFAULT_MODEL,
    passes: Passes = SamplingSettings.passes,
    seed: Seed = SamplingSettings.seed,
    min_atoms: MinAtoms = MapSettings.min_atoms,
    top: Top = 1,
    as_json: Json = False,
    as_csv: Csv = False,
    out: Annotated[Path | None, typer.Option(help="Write JSON or CSV here instead (.json or .csv).")] = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Recognise structures as a whole: one label and uncertainty each, all frames of all files."""
    from arise_cli.console import Output
    from arise_cli.main import bar
    from arise_core.recognition.result import Overview
    from ase_arise.annotation import classify
    from ase_arise.convert import as_model

    output = Output.checked(as_json, as_csv, out, overwrite)
    network = as_model(model)
    names, found = _read(files)
    with bar("classify") as progress:
        prediction = classify(
            found, network, passes=passes, seed=seed, min_atoms=min_atoms, progress=progress
        )
    results = [Overview.of_whole(prediction, k, len(atoms)) for k, atoms in enumerate(found)]
    output.write([_entry(n, a, r, top) for n, a, r in zip(names, found, results, strict=True)])
    _finish(strict and any(r.rejected or not r.valid for r in results))


def map_file(
    file: Annotated[
        str, typer.Argument(help="File that ASE reads; `md.xyz@0` picks a frame (default: last).")
    ],
    model: ModelOption = DEFAULT_MODEL,
    box_size: BoxSize = str(MapSettings.box_size),
    stride: Stride = MapSettings.stride,
    passes: Passes = SamplingSettings.passes,
    seed: Seed = SamplingSettings.seed,
    min_atoms: MinAtoms = MapSettings.min_atoms,
    top: Top = TOP,
    as_json: Json = False,
    as_csv: Csv = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the map of one frame here, as NetCDF (.nc).")
    ] = None,
    atoms_out: Annotated[
        Path | None, typer.Option("--atoms", help="Write the annotated atoms here (.xyz, .traj, .db, ...).")
    ] = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Slide a box over a structure: which class is where, and how sure. Prints the shares of the atoms."""
    from arise_cli.console import Output, refuse_existing, write_file
    from arise_cli.main import bar
    from arise_core.recognition.result import overview
    from ase_arise.annotation import make_settings, write_results
    from ase_arise.convert import as_model, checked
    from ase_arise.storage import write

    output = Output.checked(as_json, as_csv, None, overwrite)
    if out is not None and out.suffix != ".nc":
        raise typer.BadParameter(f"must end in .nc, got {str(out)!r}", param_hint="--out")
    refuse_existing([p for p in (out, atoms_out) if p is not None], overwrite)
    settings = make_settings(
        {"mode": "local", "box_size": _box_size(box_size), "stride": stride, "passes": passes, "seed": seed,
         "min_atoms": min_atoms}
    )  # fmt: skip
    network = as_model(model)
    names, found = _read([file if "@" in Path(file).name else f"{file}@-1"])
    if out is not None and len(found) > 1:
        raise typer.BadParameter(f"takes one frame, {file!r} has {len(found)}", param_hint="--out")
    structures = [checked(atoms, f"{name}: ") for name, atoms in zip(names, found, strict=True)]
    results = []
    with bar("map") as progress:
        for k, structure in enumerate(structures):
            results.append(
                overview(structure, network, settings, lambda f, k=k: progress((k + f) / len(found)))
            )
    if out is not None:
        results[0].field.to_netcdf(out)
    if atoms_out is not None:
        annotated = [write_results(a, r, network.name) for a, r in zip(found, results, strict=True)]
        write_file(atoms_out, lambda path: write(path, annotated))
    output.write([_entry(n, a, r, top) for n, a, r in zip(names, found, results, strict=True)])
    _finish(strict and any(r.rejected or not r.valid for r in results))


def screen_source(
    source: Annotated[
        str, typer.Argument(help="ASE database (file or URL), folder, or file with many frames.")
    ],
    out: Annotated[str, typer.Option(help="Database for the results: a .db file, or the URL of a server.")],
    model: ModelOption = DEFAULT_MODEL,
    passes: Passes = SamplingSettings.passes,
    seed: Seed = SamplingSettings.seed,
    mode: Mode = "auto",
    box_size: BoxSize = str(MapSettings.box_size),
    stride: Stride = MapSettings.stride,
    min_atoms: MinAtoms = MapSettings.min_atoms,
    workers: Annotated[int | None, typer.Option(help="Processes; default: as many as cores.")] = None,
    pattern: Annotated[str, typer.Option(help="Names of files in a folder, such as '*.cif'.")] = "*",
    symprec: Annotated[float, typer.Option(help="Tolerance of the space group, Å.")] = SYMPREC,
    top: Top = TOP,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again instead of going on.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if entries failed.")] = False,
) -> None:
    """Recognise every structure of a database; interrupted, the same command goes on where it stopped."""
    from arise_cli.main import bar
    from ase_arise.screening.run import screen

    with bar("screen") as progress:
        counts = screen(
            source, out, model, workers=workers, pattern=pattern, symprec=symprec, top=top,
            overwrite=overwrite, progress=progress, mode=mode, box_size=_box_size(box_size), stride=stride,
            passes=passes, seed=seed, min_atoms=min_atoms,
        )  # fmt: skip
    typer.echo(f"{counts.recognised} recognised, {counts.failed} failed, {counts.kept} from before")
    typer.echo(f"look at them with: ase db {out} arise_status=ok -c formula,arise_label,arise_mi,arise_top")
    _finish(strict and counts.failed > 0)


def compare_files(
    structures: Annotated[
        list[str], typer.Argument(help="Files that ASE reads (all frames), or classes by name, such as fcc.")
    ],
    model: ModelOption = DEFAULT_MODEL,
    layer: Annotated[int, typer.Option(help="Hidden layer: 0 the first, -1 the last.")] = LAYER,
    min_atoms: MinAtoms = MapSettings.min_atoms,
    out: Annotated[Path | None, typer.Option(help="Write the matrix here (.csv).")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw a heat map here (.png).")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Cosine similarity of the network's representations of structures, as a matrix."""
    from arise_cli.console import matrix_csv, print_matrix, refuse_existing, write_file
    from arise_cli.main import bar
    from ase_arise.convert import as_model
    from ase_arise.representations import similarity
    from ovito_arise.demo.pictures import draw

    for path, suffix in ((out, ".csv"), (picture, ".png")):
        if path is not None and path.suffix != suffix:
            raise typer.BadParameter(f"must end in {suffix}, got {str(path)!r}")
    refuse_existing([p for p in (out, picture) if p is not None], overwrite)
    network = as_model(model)
    names, found = _read(structures, classes=True)
    with bar("similarity") as progress:
        matrix = similarity(found, network, layer=layer, min_atoms=min_atoms, progress=progress)
    if out is not None:
        write_file(out, lambda path: path.write_text(matrix_csv(names, matrix), encoding="utf-8"))
    if picture is not None:
        write_file(picture, lambda path: draw(matrix, names, path, layer % network.n_layers))
    print_matrix(names, matrix)


def _box_size(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"must be a number of Å or 'auto', got {text!r}") from error


def _read(files: list[str], classes: bool = False) -> tuple[list[str], list[Any]]:
    """Names and `Atoms` of all frames of files, checked, and of classes that are named instead of a file."""
    from ase_arise.convert import checked, frames

    names, found = [], []
    for file in files:
        prototype = _prototype(file) if classes else None
        images = [prototype] if prototype is not None else list(frames(file))
        for k, atoms in enumerate(images):
            name = f"{file} [{k}]" if len(images) > 1 else file
            checked(atoms, f"{name}: ")
            names.append(name)
            found.append(atoms)
    return names, found


def _prototype(name: str) -> Any:
    """`Atoms` of a class, unless there is a file of this name or no such class."""
    from ase import Atoms

    from arise_core.crystals.ideal import build
    from arise_core.crystals.table import prototype

    if Path(name).exists():
        return None
    try:
        unit = build(prototype(name))
    except ValueError:
        return None
    return Atoms(unit.numbers, unit.positions, cell=unit.cell, pbc=unit.pbc)


def _entry(name: str, atoms: Any, result: Overview, top: int) -> dict[str, Any]:
    from ase_arise.labels import fractions, short_labels

    from arise_core.benchmark.report import record

    out: dict[str, Any] = {"file": name, "formula": atoms.get_chemical_formula(), "n_atoms": len(atoms)}
    out |= record(result)
    best = result.top(top)
    labels = short_labels([c for c, _ in best])
    out["top"] = [
        {"label": s, "class": c.label, "probability": p} for s, (c, p) in zip(labels, best, strict=True)
    ]
    if result.mode == "local":
        out["fractions"] = fractions(result)
    return out


def _finish(doubtful: bool) -> None:
    if doubtful:
        raise typer.Exit(DOUBTFUL)
