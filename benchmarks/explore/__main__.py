"""Time and memory of clusters and planes of 50,000 boxes; writes docs/benchmarks/explore.md.

    python -m benchmarks.explore [--edge 74] [--out DIR]

The boxes are those of a periodic polycrystal of fcc, bcc, hcp and diamond, 20 % of its atoms missing and the others
displaced by 1 %, with a box every 2 Å: the 512 numbers of the second hidden layer. Every job runs in a process of its
own with one thread, whose processor time and largest memory are measured. What principal components change is measured
on the boxes of a smaller polycrystal.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score

import arise_core as arise
from arise_core.geometry import builders
from arise_core.geometry.grains import GRAINS
from benchmarks.measure import DOCS, in_new_process

#: Edge of the smaller polycrystal, Å, and the smallest clusters that are compared on it.
SMALL = 42.0
SIZES = (50, 500)


def boxes(edge: float, place: Path) -> None:
    """Write the representations of a polycrystal's boxes."""
    rng = np.random.default_rng(0)
    grains = [arise.build(arise.prototype(name)) for name in GRAINS]
    whole = builders.polycrystal(grains, (edge, edge, edge), pbc=True, rng=rng)
    structure = builders.displace(builders.remove_atoms(whole, 0.2, rng), 0.01, rng)
    settings = arise.MapSettings(box_size=16.0, stride=2.0)
    np.save(place, arise.represent(structure, arise.load_model("arise-108"), 1, map_settings=settings).of(1))


def alone(place: Path, *job: object) -> tuple[float, float, list[int]]:
    """Seconds of the processor, largest memory in GiB and labels of a job in a fresh process; compilation counts."""
    seconds, gib, labels = in_new_process("benchmarks.explore.case", [place, *job], threads=1)
    return seconds, gib, labels


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explore", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--edge", type=float, default=74.0, help="of the polycrystal, Å")
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.npy", Path(folder) / "small.npy"
        boxes(given.edge, large)
        boxes(SMALL, small)
        print("boxes described", flush=True)
        n, width = np.load(large, mmap_mode="r").shape
        rows = []
        for name, job in {
            "HDBSCAN, clusters of at least 500": ("hard", 500, 50),
            "the same, soft": ("soft", 500, 50),
            "HDBSCAN, scan over six sizes": ("scan",),
            "UMAP, 50 neighbours": ("plane", 50),
            "UMAP, 500 neighbours": ("plane", 500),
        }.items():
            seconds, gib, _ = alone(large, *job)
            rows.append(f"| {name} | {seconds:.0f} | {gib:.1f} |")
            print(rows[-1], flush=True)
        compared = []
        for size in SIZES:
            all_seconds, _, exact = alone(small, "hard", size, 0)
            for components in (50, 20, 10):
                seconds, _, found = alone(small, "hard", size, components)
                same = adjusted_rand_score(exact, found)
                compared.append(f"| {size} | {components} | {all_seconds:.0f} | {seconds:.0f} | {same:.3f} |")
                print(compared[-1], flush=True)
        few = np.load(small, mmap_mode="r").shape[0]
    text = "\n".join([
        "# Clusters and planes of many boxes", "",
        f"Made by `python -m benchmarks.explore`: {n:,} boxes × {width} numbers, 50 principal components, one thread, "
        "compilation and reading included.", "",
        "| job | processor s | GiB |", "|---|---|---|", *rows, "",
        f"What principal components change ({few:,} boxes): adjusted Rand index between the clusters, outliers as one "
        "more, found on all numbers and on the components.", "",
        "| smallest cluster | components | processor s, all numbers | processor s, components | adjusted Rand index |",
        "|---|---|---|---|---|", *compared, "",
    ])  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "explore.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
