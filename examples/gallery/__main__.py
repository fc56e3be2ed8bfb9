"""Make the pages of the gallery, as many at a time as there are cores; those that are there already stay.

python -m examples.gallery [NAME ...] [--quick] [--out DIR] [--again] [--workers N]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from examples.gallery.making import PAGES, made
from examples.gallery.page import DOCS, QUICK, index


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.gallery", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"pages, all if left out: {', '.join(PAGES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small structures and coarse maps")
    parser.add_argument("--out", type=Path, help="default: docs/gallery, with --quick out/gallery")
    parser.add_argument("--again", action="store_true", help="pages that are there too")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="pages at a time; default: one a core"
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in PAGES]
    if unknown:
        parser.error(f"no page {', '.join(unknown)}; there are {', '.join(PAGES)}")
    folder = given.out or (QUICK if given.quick else DOCS)
    names = given.names or PAGES
    for name, new in made(names, folder, given.quick, given.again, max(1, min(given.workers, len(names)))):
        if not new:
            print(f"{name}: is there", flush=True)
        (folder / "index.md").write_text(index(folder), "utf-8")
    print(f"pages are in {folder}")


if __name__ == "__main__":
    main()
