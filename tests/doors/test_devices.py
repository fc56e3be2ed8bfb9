"""`device` reaches the network through every door, and worker processes too."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from ase.build import bulk
from ase.io import write

import ase_arise
import ase_arise.batches
from ase_arise import AriseCalculator, AriseObserver, screen, trajectory
from ovito_arise import AriseModifier
from tests.cli.conftest import arise  # noqa: F401 - a fixture

MISSING = "xpu"
FAST = {"passes": 4, "mode": "whole"}

pytestmark = pytest.mark.skipif(torch.xpu.is_available(), reason="needs a device that is missing")


@pytest.fixture
def said():
    """Everything in here says that the device is missing."""
    with pytest.warns(UserWarning, match=f"`device` '{MISSING}' is not available here") as found:
        yield found


@pytest.fixture
def file(tmp_path):
    write(tmp_path / "in.xyz", [bulk("Cu"), bulk("Fe")])
    return tmp_path / "in.xyz"


@pytest.mark.parametrize("name", ["classify", "annotate", "similarity", "solid_fraction", "is_solid"])
def test_functions(name, said):
    atoms = bulk("Cu", cubic=True)
    settings = {"similarity": {}, "classify": {"passes": 4}}.get(name, FAST)
    getattr(ase_arise, name)(atoms, device=MISSING, **settings)


def test_exploration(said):
    settings = {"box_size": 8.0, "stride": 4.0, "passes": 4, "embed": False, "min_cluster_size": 5}
    ase_arise.exploration(bulk("Cu", cubic=True) * (3, 3, 3), device=MISSING, **settings)


def test_calculator_and_observer(said):
    atoms = bulk("Cu")
    assert AriseCalculator(device=MISSING).todict()["device"] == MISSING
    AriseObserver(atoms, device=MISSING)
    calculator = AriseCalculator()
    calculator.set(device=MISSING)
    assert len([w for w in said if MISSING in str(w.message)]) == 3


def test_a_calculator_remembers_where_its_model_was(model, monkeypatch):
    monkeypatch.setattr(model, "device", torch.device(MISSING))
    calculator = AriseCalculator(model=model)
    assert calculator.parameters["device"] == MISSING
    assert calculator._model is model


@pytest.mark.parametrize(
    "command", ["classify", "map", "similarity", "explore", "screen", "suggest", "trajectory"]
)
def test_commands(command, arise, file, tmp_path, said):  # noqa: F811
    out = {"screen": "out.db", "suggest": "out", "trajectory": "out.zarr"}.get(command)
    more = ["--out", tmp_path / out] if out else []
    more += ["--workers", "1"] if command in ("screen", "trajectory") else []
    if command not in ("similarity",):
        more += ["--passes", "4"]
    arise(command, file, "--device", MISSING, *more)


def test_modifier(said):
    assert AriseModifier(device=MISSING)._model().device.type == "cpu"


def test_workers_run_their_network_there(file, tmp_path, monkeypatch, model, said):
    """The first process hands on where it runs, and to workers elsewhere what was asked for."""
    asked = []

    def keep(path, device=None):
        asked.append(device)
        return model

    monkeypatch.setattr(ase_arise.batches, "as_model", keep)
    trajectory(file, tmp_path / "1.zarr", device=MISSING, workers=1, passes=4)
    screen(file, tmp_path / "1.db", device=MISSING, workers=1, passes=4)
    with ThreadPoolExecutor(1) as pool:
        trajectory(file, tmp_path / "2.zarr", device=MISSING, executor=pool, passes=4)
    assert asked == ["cpu", "cpu", MISSING]


def test_a_run_goes_on_on_another_device(file, tmp_path):
    trajectory(file, tmp_path / "r.zarr", workers=1, passes=4)
    with pytest.warns(UserWarning, match=MISSING):
        again = trajectory(file, tmp_path / "r.zarr", device=MISSING, workers=1, passes=4)
    assert again.done.all()
    assert "device" not in again.facts
