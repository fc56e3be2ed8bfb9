"""Settings: what they take, what they refuse, and what they make of numpy's numbers."""

import json

import numpy as np
import pytest

from arise_core.settings import (
    LARGEST,
    MapSettings,
    Option,
    RecognitionSettings,
    SamplingSettings,
    check_threshold,
    options_of,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"passes": 2.5}, "`passes` must be a whole number, got 2.5"),
        ({"passes": True}, "`passes` must be at least 1, got True"),
        ({"passes": "5"}, "`passes` must be a whole number, got '5'"),
        ({"passes": 10**400}, "`passes` must be"),
        ({"seed": 1.5}, "`seed` must be a whole number, got 1.5"),
        ({"seed": -1}, "`seed` must not be negative, got -1"),
        ({"seed": 10**23}, r"`seed` must be at most 1e\+15, got 1000"),
        ({"passes": 10**21}, r"`passes` must be at most 1e\+15, got 1000"),
        ({"tolerance": -1}, "`tolerance` must be a positive number of bits or 'auto' or None, got -1"),
        ({"tolerance": np.nan}, "`tolerance` must be a positive number of bits or 'auto' or None, got nan"),
    ],
)
def test_sampling_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        SamplingSettings(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"box_size": True}, "`box_size` must be a positive number of Å or 'auto', got True"),
        ({"box_size": 1e300}, r"`box_size` must be at most 1e\+15, got 1e\+300"),
        ({"min_atoms": 2.5}, "`min_atoms` must be a whole number, got 2.5"),
        ({"padding": "third"}, "`padding` must be 'half', 'none' or 'full', got 'third'"),
        ({"stride": None}, "`stride` must be a positive number of Å, got None"),
    ],
)
def test_maps_refuse(values, message):
    with pytest.raises(ValueError, match=message):
        MapSettings(**values)


def test_numbers_of_numpy_become_pythons():
    settings = RecognitionSettings.of(
        {
            "passes": np.int64(20),
            "seed": np.int32(3),
            "stride": np.float32(4),
            "reject_threshold": np.float64(0.3),
        }
    )
    assert json.loads(json.dumps(settings.to_options()))["passes"] == 20
    assert all(type(v).__module__ == "builtins" for v in settings.to_options().values())
    assert settings == RecognitionSettings.of({"passes": 20, "seed": 3, "stride": 4, "reject_threshold": 0.3})


def test_zero_stands_for_all_passes():
    assert SamplingSettings(tolerance=0).tolerance is None
    assert SamplingSettings(tolerance=0.0) == SamplingSettings()


@pytest.mark.parametrize("threshold", ["never", [0.5], {}, -0.1, 1.1, np.nan])
def test_thresholds_that_are_none(threshold):
    with pytest.raises(ValueError, match="`reject_threshold` must be"):
        check_threshold(threshold)


def test_options_of_every_kind_are_checked():
    flag = Option(label="Flag", text="")
    flag.check("flag", True, False)
    with pytest.raises(ValueError, match="`flag` must be"):
        flag.check("flag", 1, False)
    free = Option(label="Free (Å)", text="")
    free.check("free", -3.5, 0.0)
    with pytest.raises(ValueError, match="`free` must be at most"):
        free.check("free", 2 * LARGEST, 0.0)
    for bad in ("x", None, True, -2 * LARGEST):
        with pytest.raises(ValueError, match="`free` must be a number of Å"):
            free.check("free", bad, 0.0)
    assert {"box_size", "stride", "padding", "edges"} <= set(options_of(MapSettings))
