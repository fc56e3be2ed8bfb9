"""`arise explore`: clusters of what the network sees in the boxes of a structure, or in several structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from arise_cli.console import (
    Record,
    bar,
    check_places,
    number,
    print_table,
    refuse_source,
    say,
    say_json,
    say_written,
)
from arise_cli.options import (
    DeviceOption,
    Draw,
    Format,
    Json,
    ModelOption,
    Overwrite,
    RangesOption,
    ReaderOption,
    TypesOption,
    check_suffix,
    takes,
)
from arise_cli.readers import chosen_reader
from arise_cli.recognition import read_structures
from arise_core.errors import FileError
from arise_core.settings import (
    DEFAULT_MODEL,
    MAP_TOLERANCE,
    ExploreSettings,
    MapSettings,
    SamplingSettings,
    map_sampling,
    options_of,
    split_options,
)

if TYPE_CHECKING:
    from arise_core.explore.result import Exploration


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("explore")(explore_file)


@takes(ExploreSettings, MapSettings, SamplingSettings, tolerance=MAP_TOLERANCE)
def explore_file(
    file: Annotated[
        str,
        typer.Argument(
            help="File that ASE or OVITO reads: the boxes of its last frame, or of the one that `md.xyz@0` picks; "
            "`md.xyz@:` takes several frames as wholes."
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "cpu",
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Write everything that was found here (.npz).")] = None,
    atoms_out: Annotated[
        Path | None,
        typer.Option("--atoms", help="Write the atoms with their clusters here (.xyz, .traj, ...)."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="Write a page here (.html): the plane, linked to the atoms of each box. Needs chemiscope."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Write what all hidden layers make of each box here, a new folder (Zarr); boxes are described twice."
        ),
    ] = None,
    draw: Draw = False,
    types: TypesOption = "",
    overwrite: Overwrite = False,
    reader: ReaderOption = "auto",
    kind: Format = "",
    ranges: RangesOption = "",
    **settings: Any,
) -> None:
    """Cluster what the network sees in each box, without labels: regions that are alike. Prints the clusters."""
    from arise_core.explore.job import exploration_steps
    from arise_core.explore.page import check_pages, page_steps
    from arise_core.explore.representations import represent
    from arise_core.progress import run
    from ase_arise.convert import as_model
    from ase_arise.exploring import write_clusters
    from ase_arise.reading import last_of, split_name
    from ase_arise.storage import format_of, write

    check_suffix(out, ".npz", "out")
    check_suffix(page, ".html", "page")
    if atoms_out is not None:
        format_of(atoms_out)  # refuses what cannot be written
    if Path(split_name(file)[0]).is_dir():
        raise FileError(
            f"`file` {file!r} is a folder: name a file, `md.xyz@:` for all its frames, or hand over the `Atoms` of "
            "several files in Python (`ase_arise.exploration`)"
        )
    check_places([out, atoms_out, page], overwrite)
    refuse_source(file, [atoms_out])
    own, boxes, sampling = split_options(settings, tuple(options_of(ExploreSettings)))
    chosen, map_settings = ExploreSettings(**own), MapSettings(**boxes)
    if page is not None:
        check_pages(chosen)
    read_by = chosen_reader(reader, kind, ranges)
    network = as_model(model, device)
    found = read_structures([last_of(file)], read_by, types, draw=settings["seed"] if draw else None)
    materials = [f.material for f in found]
    subject = materials[0] if len(materials) == 1 else materials
    if store is not None:
        with bar("store") as progress:
            represent(subject, network, map_settings=map_settings, store=store, progress=progress)
        say_written(store)
    job = exploration_steps(subject, network, chosen, map_settings, map_sampling(sampling))
    with bar("explore") as progress:
        result = run(job, progress)
    if out is not None:
        result.save(out)
        say_written(out)
    if atoms_out is not None:
        write(atoms_out, write_clusters([f.atoms for f in found], result))
        say_written(atoms_out)
    if as_json:
        say_json(_record(file, result))
    else:
        _print_tables(result)
    if page is not None:  # last: it is refused where there is no plane, all the rest is there then
        with bar("page") as progress:
            run(page_steps(result, page, structures=materials if len(materials) > 1 else None), progress)
        say_written(page)


def _record(file: str, result: Exploration) -> Record:
    """All that is printed, in plain types."""
    from dataclasses import asdict

    groups = [
        {**asdict(g), "classes": [{"label": name, "share": share} for name, share in g.classes]}
        for g in result.groups()
    ]
    return {
        "file": file,
        "rows": len(result),
        "kind": "boxes" if result.field is not None else "structures",
        "layer": result.layer,
        "min_cluster_size": result.clusters.min_cluster_size,
        "note": result.clusters.note,
        "trials": [{**asdict(t), "score": t.score} for t in result.clusters.trials],
        "clusters": groups,
    }


def _print_tables(result: Exploration) -> None:
    """The scan, the clusters, and why there are none."""
    if result.clusters.trials:
        print_table(_scan_table(result))
    print_table(_groups_table(result))
    for note in (result.clusters.note, "" if result.embedding is None else result.embedding.note):
        if note:
            say(note, error=True)


def _scan_table(result: Exploration) -> Table:
    table = Table("Smallest cluster", "Clusters", "Outliers", "Persistence", "Relative validity", "Score", "")
    for t in result.clusters.trials:
        taken = "taken" if t.min_cluster_size == result.clusters.min_cluster_size else ""
        table.add_row(
            str(t.min_cluster_size), str(t.n_clusters), f"{t.outlier_share:.1%}", number(t.persistence),
            number(t.validity), number(t.score), taken,
        )  # fmt: skip
    return table


def _groups_table(result: Exploration) -> Table:
    rows = "Boxes" if result.field is not None else "Structures"
    table = Table("Cluster", rows, "Share", "Main classes", "MI (bit)", "Persistence")
    for g in result.groups():
        table.add_row(
            "outliers" if g.cluster < 0 else str(g.cluster),
            str(g.size),
            f"{g.share:.1%}",
            ", ".join(f"{name} {share:.0%}" for name, share in g.classes),
            number(g.mutual_information),
            number(g.persistence),
        )
    return table
