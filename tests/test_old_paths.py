"""Module paths of version 0.1.0 still import, and say where things are now."""

import importlib
import subprocess
import sys
import warnings

import pytest

import arise_core as arise
from arise_core import _moved

#: What documents and examples of 0.1.0 imported, and what held them.
USED = {
    "arise_core.builders": ["polycrystal", "superalloy", "repeat"],
    "arise_core.boxes": ["box_grid", "automatic_box_size", "BoxGrid"],
    "arise_core.card": ["Card", "ClassInfo"],
    "arise_core.maps": ["StridedMap"],
    "arise_core.network": ["load_model", "Model", "ModelError", "known_models"],
    "arise_core.overview": ["Overview", "OverviewSettings", "overview", "LOCAL_ATOMS"],
    "arise_core.prediction": ["Prediction", "check_threshold", "MISSING"],
    "arise_core.prototypes": ["build", "prototype", "prototypes", "supercells", "pristine"],
    "arise_core.recognise": ["classify", "strided_map", "map_steps", "check_overlaps"],
    "arise_core.soap": ["describe", "survey"],
    "arise_core.strided": ["describe_boxes", "iterate_boxes"],
    "arise_core.structure": ["Structure", "perpendicular_heights", "FloatArray"],
    "arise_core.window": ["BoxWindow", "atomic_spacing", "without_vacuum"],
    "arise_core.zoo": ["zoo_root"],
    "ase_arise.labels": ["short_labels", "class_index", "label", "fractions", "record", "REJECTED", "NONE"],
    "ovito_arise.overlay": ["AriseLegend"],
}


@pytest.fixture
def fresh():
    """Old modules are forgotten before and after."""

    def forget():
        for name in _moved.MODULES:
            sys.modules.pop(name, None)
            package, _, last = name.rpartition(".")
            vars(sys.modules.get(package, sys)).pop(last, None)

    forget()
    yield
    forget()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("old", USED)
def test_old_paths_warn_and_work(old):
    with pytest.warns(DeprecationWarning, match=f"{old} is now {_moved.MODULES[old][0]}"):
        module = importlib.import_module(old)
    for name in USED[old]:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="had a name 'nothing' that is gone"):
        _ = module.nothing


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("old", _moved.MODULES)
def test_the_new_places_exist(old):
    assert all(importlib.import_module(place) for place in _moved.MODULES[old])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module(old)
    with pytest.raises(ImportError):
        importlib.import_module(f"{old}.nothing")


@pytest.mark.usefixtures("fresh")
def test_settings_of_0_1():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        overview = importlib.import_module("arise_core.overview")
    settings = overview.OverviewSettings(mode="local", passes=7, box_size="auto")
    assert (settings.mode, settings.sampling.passes, settings.map.box_size) == ("local", 7, "auto")


@pytest.mark.usefixtures("fresh")
def test_what_stands_in_for_what_is_gone(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        labels = importlib.import_module("ase_arise.labels")
        window = importlib.import_module("arise_core.window")
        names: dict = {}
        exec("from arise_core.structure import *", names)
    found = arise.build(arise.prototype("fcc"))
    overview = importlib.import_module("arise_core.recognition.result").recognise(found, model)
    assert (labels.label(overview), labels.fractions(overview)) == ("fcc", {"fcc": 1.0})
    assert labels.class_index(model.class_info, "fcc") == model.class_info.find("fcc")
    assert window.loose_spacing(found, window.atomic_spacing(found)) == window.atomic_spacing(found)
    assert {"Structure", "perpendicular_heights"} <= set(names)


def test_a_module_that_became_a_package():
    import ase_arise

    with pytest.warns(DeprecationWarning, match="is now in ase_arise.screening.run"):
        from ase_arise.screening import screen
    assert screen is ase_arise.screen


@pytest.mark.parametrize("package", ["ase_arise.screening", "arise_core.training.samples"])
def test_all_names_of_a_module_that_became_a_package(package):
    module = importlib.import_module(package)
    for name, place in module._MOVED.items():
        with pytest.warns(DeprecationWarning, match=f"{package}.{name} is now in {place}"):
            assert getattr(module, name) is getattr(importlib.import_module(place), name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_rooms_of_the_package_are_modules():
    code = (
        "from ase_arise.screening import run, job, results, sources\n"
        "print([m.__name__.rpartition('.')[2] for m in (run, job, results, sources)])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "['run', 'job', 'results', 'sources']", done.stderr


def test_the_package_does_not_use_them():
    code = (
        "import warnings; warnings.simplefilter('error', DeprecationWarning)\n"
        "import arise_core as arise, ase_arise\n"
        "arise.classify(arise.build(arise.prototype('fcc')), arise.load_model('arise-108'), passes=3)\n"
        "import sys; from arise_core import _moved; print([m for m in _moved.MODULES if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[]"), done.stderr


@pytest.mark.usefixtures("fresh")
def test_an_old_module_does_not_hide_a_public_function():
    """`arise.prototypes()` was a TypeError once a module of this name was imported."""
    with pytest.warns(DeprecationWarning, match="is now arise_core.crystals.table"):
        importlib.import_module("arise_core.prototypes")
    assert len(arise.prototypes()) == len(arise.prototypes()) == 108
