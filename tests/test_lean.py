"""Without OVITO and all that is optional: the rest works, and what does not says how to install what it lacks.

The packages are hidden here; `.ci/run` runs this file once more where they are not installed.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from functools import cache
from importlib import metadata

import numpy as np
import pytest

import arise_core
from arise_core.errors import MissingPackageError
from arise_core.runtime.packages import INSTALLED_BY, is_there
from arise_core.settings import ExploreSettings
from tests import ROOT
from tests.cli.conftest import arise, crystals, large  # noqa: F401

LEAN = tomllib.loads((ROOT / "distributions/arise-core/pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
HIDDEN = (*INSTALLED_BY, "ovito", "traits", "PySide6")


@cache
def distributions_of() -> dict[str, list[str]]:
    """Which distributions hold a module, read once: all that is installed is looked through."""
    return dict(metadata.packages_distributions())


@pytest.fixture(autouse=True)
def _lean(monkeypatch):
    for name in [m for m in sys.modules if m.partition(".")[0] in HIDDEN]:
        monkeypatch.delitem(sys.modules, name)
    for name in HIDDEN:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("module", INSTALLED_BY)
def test_what_is_named_installs_it(module):
    assert not is_there(module)
    named, _, extra = INSTALLED_BY[module].rstrip("]").partition("[")
    if named == "ovito-arise":
        return
    assert named == LEAN["name"]
    wanted = " ".join(LEAN["optional-dependencies"][extra]).lower()
    distributions = distributions_of().get(module)  # None where it is not installed
    assert distributions is None or any(d.lower().replace("_", "-") in wanted for d in distributions)


def test_it_depends_on_nothing_that_is_hidden():
    assert not re.search(
        "ovito|hdbscan|umap|netcdf|dscribe|zarr|dask|optuna|chemiscope", " ".join(LEAN["dependencies"])
    )


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (["demo"], "ovito_arise"),
        (["classify", "FILE", "--reader", "ovito"], "ovito_arise"),
        (["map", "FILE", "--out", "map.nc"], "netCDF4"),
        (["explore", "FILE"], "hdbscan"),
        (["explore", "FILE", "--store", "store"], "zarr"),
        (["trajectory", "FILE", "--out", "run.zarr"], "zarr"),
        (["trajectory", "FILE", "--out", "run.zarr", "--dask", "local"], "dask"),
        (["screen", "postgresql://a:b@127.0.0.1:1/c", "--out", "out.db"], "ase_db_backends"),
        (["screen", "FILE", "--out", "postgresql://a:b@127.0.0.1:1/c"], "ase_db_backends"),
        (["tune", str(ROOT / "model_zoo" / "arise-108" / "recipe.toml"), "--out", "tuned"], "optuna"),
    ],
    ids=lambda w: " ".join(w[:1] + w[2:]).replace("/", "_")[:40] if isinstance(w, list) else w,
)
def test_commands_say_what_they_lack(arise, large, tmp_path, monkeypatch, words, needs):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    code, _, err = arise(*[large if w == "FILE" else w for w in words])
    assert code == 1
    assert f", which is not installed: python -m pip install '{INSTALLED_BY[needs]}'" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large.xyz"]


def test_functions_say_what_they_lack(model, fcc, tmp_path):
    vectors = np.random.default_rng(0).random((60, 8)).astype(np.float32)
    field = arise_core.strided_map(fcc, model, box_size=16.0, stride=12.0, passes=4)
    calls = {
        "hdbscan": lambda: arise_core.find_clusters(vectors),
        "umap": lambda: arise_core.embed(vectors),
        "dscribe": lambda: arise_core.describe(fcc, arise_core.DescriptorSettings.paper(), backend="dscribe"),
        "netCDF4": lambda: field.to_netcdf(tmp_path / "map.nc"),
        "zarr": lambda: arise_core.represent(field, model, store=tmp_path / "store"),
    }
    for module, call in calls.items():
        with pytest.raises(
            MissingPackageError, match=re.escape(f"python -m pip install '{INSTALLED_BY[module]}'")
        ):
            call()
    with pytest.raises(MissingPackageError, match="clusters need HDBSCAN"):
        arise_core.exploration(fcc, model, embed=False)
    with pytest.raises(MissingPackageError, match="clusters need HDBSCAN"):
        arise_core.explore.clusters.scan(vectors, (5,), ExploreSettings())
    assert list(tmp_path.iterdir()) == []


def test_all_else_works(arise, crystals, large, tmp_path):  # noqa: F811
    code, out, _ = arise("classify", crystals, "--json", "--passes", "20")
    assert (code, [entry["label"] for entry in json.loads(out)]) == (0, ["fcc", "bcc", "hcp"])
    annotated = tmp_path / "annotated.xyz"
    assert arise("map", f"{large}@0", "--stride", "8", "--passes", "20", "--atoms", annotated)[0] == 0
    assert "arise_label" in annotated.read_text(encoding="utf-8")
    assert arise("similarity", crystals)[0] == 0
    assert arise("prototypes")[0] == 0
    code, out, _ = arise("info", "--json")
    assert (code, json.loads(out)["arise-core"]) == (0, arise_core.version.VERSION)
