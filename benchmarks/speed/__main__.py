"""Speed and memory of the core, as ratios measured in one run; writes docs/benchmarks/speed.md.

    python -m benchmarks.speed [--out DIR] [--repeats 5] [--only CASE ...] [--quick]
    python -m benchmarks.speed --compare OLD_CHECKOUT [--repeats 5] [--only CASE ...] [--quick]

Each case runs in a process of its own, so that its peak memory is its own. Times are medians over repeats;
every ratio compares figures of the same run on the same number of threads. quippy is measured if it is
installed (`pip install "arise-core[benchmark]"`). Nothing else should run on the machine meanwhile.

With --compare, time and memory of this checkout are shown over those of another one; nothing is written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.measure import DOCS, QUICK, in_new_process, machine
from benchmarks.speed import compare
from benchmarks.speed.case import Given
from benchmarks.speed.cases import CASES
from benchmarks.speed.report import write
from benchmarks.tables import number


def run_case(name: str, given: Given) -> dict[str, object]:
    """One case in a process of its own."""
    arguments = ["--case", name, "--repeats", given.repeats, *(["--quick"] if given.quick else [])]
    threads = CASES[name].threads
    return {"threads": threads, **in_new_process("benchmarks.speed", arguments, threads)}


def measure(names: list[str], given: Given, folder: Path) -> None:
    """Measure some cases; what the folder holds of the others stays."""
    file = folder / "speed.json"
    results = json.loads(file.read_text("utf-8")) if file.exists() and len(names) < len(CASES) else {}
    results["machine"] = machine()
    for name in names:
        print(name, flush=True)
        results[name] = run_case(name, given)
        for key, value in results[name].items():
            print(f"    {key}: {number(value)}", flush=True)
        write({k: results[k] for k in ("machine", *CASES) if k in results}, CASES, folder)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help=f"default: {DOCS}; with --quick {QUICK}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", help="some of the cases; an unknown one tells all"
    )
    parser.add_argument("--quick", action="store_true", help="little instead of much: to see whether it runs")
    parser.add_argument("--compare", type=Path, metavar="OLD_CHECKOUT", help="folder with another arise_core")
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {given.repeats}")
    if given.compare and not (given.compare / "arise_core").is_dir():
        parser.error(f"--compare: there is no arise_core in {given.compare}")
    known = list(compare.case_names() if given.compare else CASES)
    names = given.only or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no case {unknown[0]!r}; there are: {', '.join(known)}")
    if given.case:
        print(json.dumps(CASES[given.case].measure(Given(given.repeats, given.quick))))
    elif given.compare:
        print(compare.table(compare.compare(given.compare, names, given.repeats, given.quick)))
    else:
        folder = given.out or (QUICK if given.quick else DOCS)
        measure(names, Given(given.repeats, given.quick), folder)


if __name__ == "__main__":
    main()
