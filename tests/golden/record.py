"""Descriptors, dropout masks and predictions of the golden set, as hashes and as a few numbers a row.

`python -m tests.golden.record` compares this checkout with `golden.json` and says what differs; with `--write` it
records it anew, after a change that is meant to change numbers; with `--add` it adds the hashes of another machine,
for a checkout whose numbers are those of the file. Hashes hold on one kind of machine (processor, versions of the
numerical libraries): loops are compiled for the processor. The numbers hold on all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
import torch
from threadpoolctl import threadpool_info

import arise_core as arise

from .systems import RECIPES, SYSTEMS, System

FILE = Path(__file__).with_name("golden.json")
#: Numbers kept of each row of features: projections on fixed random directions.
PROJECTIONS = 4
#: Between machines: the compiler orders sums of the loops differently, in single precision.
TOLERANCE = 2e-5
MAP = {"resolution": "single", "passes": 64, "tolerance": 0.02, "seed": 7}
#: (seed, block, widths, rate) of the masks.
MASKS = ((0, 0, (300, 256, 512, 256), 0.0317), (7, 3, (300, 256, 512, 256), 0.0317), (1, 2, (64, 32), 0.3))


def machine() -> str:
    """What hashes depend on: processor and versions of what computes."""
    blas = sorted({str(i.get("architecture")) for i in threadpool_info() if i["user_api"] == "blas"})
    parts = (
        platform.machine(), llvmlite.binding.get_host_cpu_name(), torch.backends.cpu.get_cpu_capability(),
        *blas, f"numpy {np.__version__}", f"numba {numba.__version__}", f"torch {torch.__version__}",
    )  # fmt: skip
    return ", ".join(parts)


def arrays_of(name: str) -> dict[str, np.ndarray]:
    """Arrays of a system or recipe, by name."""
    if name in RECIPES:
        features, labels = training_samples(RECIPES[name])
        return {"features": features, "labels": np.array(labels)}
    return features_of(SYSTEMS[name])


def training_samples(data: dict[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Descriptors and labels of the samples of a recipe, made in this process."""
    from arise_core.training.recipe import parse_recipe

    recipe = parse_recipe(data)
    jobs = recipe.samples.jobs(recipe.settings, recipe.seed, recipe.crystals())
    found = [job.compute() for job in jobs]
    return np.concatenate([f for f, _ in found]), [label for _, labels in found for label in labels]


def features_of(system: System) -> dict[str, np.ndarray]:
    """Arrays of a system, by name."""
    structure = system.build()
    if system.kind == "whole":
        settings = arise.DescriptorSettings.preset(system.settings.get("preset", "corrected"))
        return {"features": arise.describe(structure, settings)[None]}
    if system.kind == "boxes":
        options = {k: v for k, v in system.settings.items() if k != "preset"}
        settings = arise.DescriptorSettings.preset(system.settings.get("preset", "corrected"))
        found = arise.describe_boxes(arise.box_grid(structure, arise.MapSettings(**options)), settings)
        return {"features": found.features, "n_atoms": found.n_atoms}
    model = arise.load_model("arise-108")
    found = arise.strided_map(structure, model, probabilities="all", **MAP | system.settings)
    p = found.prediction
    return {
        "probabilities": p.probabilities,
        "mutual_information": p.mutual_information,
        "reject_score": p.reject_score,
        "passes": p.passes,
        "index": p.index,
    }


def masks() -> dict[str, str]:
    """Digests of dropout masks, which are the same on every machine."""
    dropout_masks = _dropout_masks()
    return {
        str(key): hashlib.sha256(b"".join(m.tobytes() for m in dropout_masks(*key))).hexdigest()
        for key in MASKS
    }


def _dropout_masks() -> Any:
    from arise_core.model.dropout import dropout_masks

    return dropout_masks


def summary(array: np.ndarray) -> list[float]:
    """A few numbers that stand for an array, NaN as -1."""
    if array.dtype.kind == "U":
        return []
    rows = np.nan_to_num(np.asarray(array, dtype=np.float64).reshape(len(array), -1), nan=-1.0)
    rng = np.random.default_rng(rows.shape[1])
    directions = rng.normal(size=(rows.shape[1], PROJECTIONS if rows.shape[1] > 1 else 1))
    return [float(f"{v:.9g}") for v in np.einsum("nk,kp->np", rows, directions).ravel()]


def digest(array: np.ndarray) -> str:
    """Hash of shape, type and contents."""
    head = f"{array.shape} {array.dtype.str}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def compute(names: list[str] | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Hash and summary of every array of the named systems."""
    return {
        name: {
            key: {"sha256": digest(array), "values": summary(array)} for key, array in arrays_of(name).items()
        }
        for name in names or [*SYSTEMS, *RECIPES]
    }


def agrees(before: Any, now: Any) -> bool:
    """Whether the features of two records differ by rounding only."""
    if before.keys() != now.keys():
        return False
    return all(
        len(before[n]["features"]) == len(now[n]["features"])
        and np.allclose(before[n]["features"], now[n]["features"], rtol=0, atol=TOLERANCE)
        for n in now
        if "features" in now[n]
    )


def main() -> int:
    """Compare or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record this checkout as the truth")
    parser.add_argument("--add", action="store_true", help="add the hashes of this machine")
    arguments = parser.parse_args()
    found = compute()
    if arguments.write or arguments.add:
        known = json.loads(FILE.read_text()) if FILE.is_file() else {}
        hashes = {name: {k: v["sha256"] for k, v in arrays.items()} for name, arrays in found.items()}
        values = {name: {k: v["values"] for k, v in arrays.items()} for name, arrays in found.items()}
        model = arise.load_model("arise-108").card.weights_sha256
        same = known.get("model") == model and agrees(known["values"], values)
        # those of other numbers hold no more
        machines = known["machines"] if same and arguments.add else {}
        values = known["values"] if same else values
        content = {
            "model": model, "masks": masks(), "machines": {**machines, machine(): hashes}, "values": values,
        }  # fmt: skip
        FILE.write_text(json.dumps(content, indent=None, separators=(",", ":")) + "\n")
        return 0
    known = json.loads(FILE.read_text())
    hashes = known["machines"].get(machine())
    if hashes is None:
        print(f"no hashes of this machine ({machine()}); known: {list(known['machines'])}")
        return 2
    different = [
        f"{name}: {key}" for name, arrays in found.items() for key, v in arrays.items()
        if hashes[name][key] != v["sha256"]
    ]  # fmt: skip
    print("\n".join(different) or f"all {len(found)} systems bit for bit the same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
