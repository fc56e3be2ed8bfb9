"""Memory and time an atom of maps with values at atoms, of 10⁵ to 10⁷ atoms; writes docs/benchmarks/huge.md.

    python -m benchmarks.huge [--sizes 1e5 1e6] [--kinds fcc ...] [--add] [--stride 8] [--passes 4] [--box-size 8]
                              [--out DIR]

Each row is a process of its own, with as many threads as there are cores. Rows of one table have the same settings, so
that their cost an atom can be compared. `structure` hands the atoms to the core, `file` reads them from a LAMMPS dump
as `arise trajectory` does. `--add` keeps rows that an earlier run with the same settings on the same processor wrote.
The largest resident memory is that of the process, its libraries included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.material import Material
from arise_core.recognition.result import recognise
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings
from arise_core.trajectories.rows import Row
from ase_arise import trajectory
from benchmarks.measure import DOCS, in_new_process, machine, peak_gib, resident
from benchmarks.structures import LATTICE, THERMAL, fcc
from benchmarks.tables import facts, markdown

#: Cells along an edge of the crystals in a half-molten block, and how far atoms of the melt keep from these, Å.
BLOCK = 12
GAP = 0.8
#: Lines that are written at once.
LINES = 200_000


def hot_fcc(n: int) -> arise.Structure:
    """Thermal fcc copper, periodic."""
    return fcc(max(2, round((n / 4) ** (1 / 3))))


def half_molten(n: int) -> arise.Structure:
    """Cubes of thermal fcc copper and of a dense random packing in turn, periodic."""
    solid = fcc(BLOCK)
    edge = BLOCK * LATTICE
    rng = np.random.default_rng(1)
    x, _, size = builders.disordered(len(solid), 0.62, [1.0], [1.0], 60, rng)
    melt = x / size * (edge - 2 * GAP) + GAP + [edge, 0, 0]
    block = arise.Structure(
        np.concatenate([solid.positions, melt]),
        np.full(2 * len(solid), 29),
        np.diag([2 * edge, edge, edge]),
        np.ones(3, dtype=bool),
    )
    times = max(1, round((n / len(block) * 2) ** (1 / 3)))
    s = builders.repeat(block, (max(1, round(n / len(block) / times**2)), times, times))
    moved = s.positions + rng.normal(0, THERMAL / 2, s.positions.shape)
    return arise.Structure(moved, s.numbers, s.cell, s.pbc)


def foam(n: int) -> arise.Structure:
    """A ball of thermal fcc copper with a round hole of 9 Å in every 40 Å, open."""
    whole = fcc(max(4, round((n / 4 / 0.47) ** (1 / 3))))
    x = whole.positions - whole.positions.mean(axis=0)
    keep = np.linalg.norm(x, axis=1) < whole.cell[0, 0] / 2
    keep &= np.linalg.norm((x + 20) % 40 - 20, axis=1) > 9
    return arise.Structure(whole.positions[keep], whole.numbers[keep])


KINDS: Mapping[str, Callable[[int], arise.Structure]] = {
    "fcc": hot_fcc, "half-molten": half_molten, "foam": foam,
}  # fmt: skip


def write_dump(structure: arise.Structure, path: Path) -> None:
    """A LAMMPS dump of an orthogonal structure."""
    edges = np.diag(structure.cell) if structure.cell.any() else np.ptp(structure.positions, axis=0) + 1
    flags = " ".join("pp" if p else "ff" for p in structure.pbc)
    with path.open("w", encoding="ascii") as file:
        file.write(f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{len(structure)}\nITEM: BOX BOUNDS {flags}\n")
        file.write("".join(f"0 {edge!r}\n" for edge in edges.tolist()))
        file.write("ITEM: ATOMS id type x y z\n")
        for k in range(0, len(structure), LINES):
            rows = structure.positions[k : k + LINES].tolist()
            file.write(
                "".join(f"{k + i + 1} 1 {x:.6f} {y:.6f} {z:.6f}\n" for i, (x, y, z) in enumerate(rows))
            )


def write_structure(kind: str, n: int, path: Path) -> int:
    """A structure as arrays, and as a dump beside them; its number of atoms."""
    s = KINDS[kind](n)
    np.savez(path, positions=s.positions, numbers=s.numbers, cell=s.cell, pbc=s.pbc)
    write_dump(s, path.with_suffix(".dump"))
    return len(s)


def of_structure(path: Path, options: Mapping[str, Any]) -> dict[str, float]:
    """A map with values at atoms, and what a row of a trajectory keeps of it."""
    model = arise.load_model(DEFAULT_MODEL)
    settings = RecognitionSettings.of({"mode": "local", **options})
    recognise(fcc(6), model, settings)  # loops are compiled, libraries have their buffers
    before = resident("VmRSS") / 1024
    with np.load(path) as arrays:
        structure = arise.Structure(*(arrays[name] for name in ("positions", "numbers", "cell", "pbc")))
    begin, cpu = time.perf_counter(), time.process_time()
    material = Material.of(structure)
    material.check_overlaps()
    looked = time.perf_counter()
    result = recognise(material, model, settings, keep_map=False)
    recognised = time.perf_counter()
    row = Row.of(result, material, 0, 0, 0, atoms=True)
    end, cpu = time.perf_counter(), time.process_time() - cpu
    assert row.share is not None
    return {
        "atoms": len(structure), "seconds": end - begin, "CPU seconds": cpu,
        "of these: overlaps": looked - begin,
        "map": recognised - looked, "row": end - recognised, "GiB before": before, "peak GiB": peak_gib(),
        "share of the first class": float(row.share[:-2].max()),
    }  # fmt: skip


def of_file(path: Path, options: Mapping[str, Any]) -> dict[str, float]:
    """The same from a dump, by `trajectory` in this process."""
    small = path.with_name("small.dump")
    write_dump(fcc(6), small)
    kept: dict[str, Any] = {
        "types": {1: "Cu"}, "atoms": True, "workers": 1, "mode": "local", "overwrite": True, "time_limit": 1e9,
    }  # fmt: skip
    trajectory(small, small.with_suffix(".zarr"), **kept, **options)  # libraries are loaded, loops compiled
    before = resident("VmRSS") / 1024
    begin, cpu = time.perf_counter(), time.process_time()
    found = trajectory(path.with_suffix(".dump"), path.with_suffix(".zarr"), **kept, **options)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    share = found.data["share"].values[0]
    return {
        "atoms": int(found.data["n_atoms"].values[0]), "seconds": seconds, "CPU seconds": cpu,
        "map": float(found.data["seconds"].values[0]),
        "GiB before": before, "peak GiB": peak_gib(), "share of the first class": float(share[:-2].max()),
    }  # fmt: skip


WAYS = {"structure": of_structure, "file": of_file}


def row_of(kind: str, way: str, n: int, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Figures of one case, in a process of its own."""
    path = folder / f"{kind}-{n}.npz"
    if not path.exists():
        in_new_process("benchmarks.huge", ["--make", kind, n, path])
    found: dict[str, Any] = in_new_process(
        "benchmarks.huge", ["--child", way, path, json.dumps(dict(options))]
    )
    found["µs an atom"] = 1e6 * found["seconds"] / found["atoms"]
    found["CPU µs an atom"] = 1e6 * found["CPU seconds"] / found["atoms"]
    return {"structure": kind, "from": way, **found}


def write(rows: Sequence[Mapping[str, Any]], options: Mapping[str, Any], folder: Path) -> None:
    """A page with a table, and the figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    with_what = machine()
    (folder / "huge.json").write_text(
        json.dumps({"machine": with_what, "settings": dict(options), "rows": rows}, indent=1) + "\n",
        encoding="utf-8",
    )
    heads = ("structure", "from", "atoms", "seconds", "µs an atom", "CPU µs an atom", "peak GiB")
    cells = [[f"{row[h]:,.4g}" if isinstance(row[h], float) else str(row[h]) for h in heads] for row in rows]
    said = ", ".join(f"{k} {v}" for k, v in options.items())
    text = (
        f"Made by `python -m benchmarks.huge`, with {said}; values at atoms and a trajectory's row. The libraries "
        "alone take 0.44 GiB. Seconds depend on what else the machine does (its load is below), CPU time hardly."
    )
    page = [
        "# Huge frames",
        text,
        facts(with_what),
        markdown(cells, heads, ("left", "left", *("right",) * 5)),
    ]
    (folder / "huge.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")


def earlier(options: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Rows of an earlier run with the same settings on the same processor."""
    try:
        then = json.loads((folder / "huge.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    same = then["settings"] == dict(options) and then["machine"]["processor"] == machine()["processor"]
    return list(then["rows"]) if same else []


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.huge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", nargs="+", type=float, default=[1e5, 1e6], help="numbers of atoms")
    parser.add_argument("--kinds", nargs="+", default=["fcc"], choices=list(KINDS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--stride", type=float, default=8.0, help="Å")
    parser.add_argument("--box-size", type=float, default=8.0, help="Å")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="for the structures, which stay there")
    parser.add_argument("--add", action="store_true", help="keep the rows of an earlier run")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.make:
        print(json.dumps(write_structure(given.make[0], int(given.make[1]), Path(given.make[2]))))
        return
    if given.child:
        print(json.dumps(WAYS[given.child[0]](Path(given.child[1]), json.loads(given.child[2]))))
        return
    options = {"box_size": given.box_size, "stride": given.stride, "passes": given.passes}
    rows = earlier(options, given.out) if given.add else []
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        for kind in given.kinds:
            for n in given.sizes:
                for way in given.ways:
                    rows.append(row_of(kind, way, int(n), options, folder))
                    print(json.dumps(rows[-1]), flush=True)
                    write(rows, options, given.out)  # so far: the largest take long


if __name__ == "__main__":
    main()
