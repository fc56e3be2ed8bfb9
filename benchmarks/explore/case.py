"""One job of the benchmark in a process of its own: prints seconds of the processor, GiB and what it found as JSON.

python -m benchmarks.explore.case FILE.npy JOB [SIZE] [COMPONENTS]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import arise_core as arise
from arise_core.explore.clusters import scan
from benchmarks.measure import peak_gib


def main(arguments: list[str]) -> None:
    """Command line."""
    place, job, *numbers = arguments
    vectors = np.load(place)
    found: list[int] = []
    start = time.process_time()
    if job == "scan":
        scan(vectors)
    elif job == "plane":
        arise.embed(vectors, arise.ExploreSettings(n_neighbors=int(numbers[0])))
    else:
        size, components = (int(k) for k in numbers)
        settings = arise.ExploreSettings(
            min_cluster_size=size, components=components, soft=job == "soft", embed=False
        )
        found = arise.find_clusters(vectors, settings).labels.tolist()
    print(json.dumps([time.process_time() - start, peak_gib(), found]))


if __name__ == "__main__":
    main(sys.argv[1:])
