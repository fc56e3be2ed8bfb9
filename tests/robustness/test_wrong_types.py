"""Arguments of the wrong kind, at every public entry point: one of our errors, which names the argument."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from traits.api import TraitError
from typer.main import get_command
from typer.testing import CliRunner

import arise_core as arise
import arise_images
import ase_arise
import ovito_arise
from arise_cli.main import app
from arise_core.errors import AriseError, InputTypeError
from arise_core.model.prediction import Rule
from arise_core.recognition.result import recognise
from arise_core.settings import RadialChannel, RecognitionSettings
from ase_arise.reading import Reader
from tests.images.made import columns_in, image_of

THING = object()
NO_STRUCTURE = (5, None, "fcc", THING)
NO_MODEL = (5, None, THING, ["arise-108"])
NO_PLACE = (5, THING, [])
NO_DEVICE = (THING, "gpu", [])
NO_NUMBER = ("x", [], THING, np.zeros(2))
NO_COUNT = (*NO_NUMBER, 2.5, True, None)
NO_FUNCTION = (5, "x", [])

#: Public name, what else it is called with (see `given`), argument, values that it is not to take.
TABLE = [
    ("core", "Structure", {"numbers": [29]}, "positions", ("x", 5, THING)),
    ("core", "Structure", {"positions": [[0, 0, 0]]}, "numbers", ("Cu", ["Cu"], THING)),
    ("core", "Structure", {"positions": [[0, 0, 0]], "numbers": [29]}, "cell", ("x", 5, THING)),
    ("core", "Structure", {"positions": [[0, 0, 0]], "numbers": [29]}, "pbc", ("x", [True], None, THING, 5)),
    ("core", "classify", {"model": "model"}, "structures", (5, None, "fcc", THING, [5])),
    ("core", "classify", {"structures": "fcc"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "classify", {"structures": "fcc", "model": "model"}, "passes", NO_COUNT),
    ("core", "classify", {"structures": "fcc", "model": "model"}, "seed", NO_COUNT),
    ("core", "classify", {"structures": "fcc", "model": "model"}, "min_atoms", NO_COUNT),
    ("core", "classify", {"structures": "fcc", "model": "model"}, "reject_threshold", NO_NUMBER),
    ("core", "classify", {"structures": "fcc", "model": "model"}, "progress", (*NO_FUNCTION, None)),
    ("core", "calibrate", {"model": "model", "labels": "none"}, "structures", (5, None, "fcc", THING, [5])),
    ("core", "calibrate", {"structures": ["x"], "labels": "none"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "calibrate", {"structures": [], "model": "model", "labels": "none"}, "name", (5, None, THING)),
    ("core", "calibrate", {"structures": [], "model": "model", "labels": "none"}, "rate", (*NO_NUMBER, None, True)),
    ("core", "calibrate", {"structures": [], "model": "model", "labels": "none"}, "confidence", (*NO_NUMBER, True)),
    ("core", "calibrate", {"structures": "several", "model": "model"}, "labels", (5, None, THING, [5], "gold")),
    ("core", "calibrate", {"structures": "several", "model": "model", "labels": "none"}, "units", (5, "x", THING, [1])),
    ("core", "strided_map", {"model": "model"}, "structure", NO_STRUCTURE),
    ("core", "strided_map", {"structure": "fcc"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "strided_map", {"structure": "fcc", "model": "model"}, "stride", NO_NUMBER),
    ("core", "strided_map", {"structure": "fcc", "model": "model"}, "box_size", (*NO_NUMBER, None)),
    ("core", "strided_map", {"structure": "fcc", "model": "model"}, "thin", (*NO_NUMBER, None)),
    ("core", "strided_map", {"structure": "fcc", "model": "model"}, "padding", (*NO_NUMBER, None)),
    ("core", "strided_map", {"structure": "fcc", "model": "model"}, "resolution", (*NO_NUMBER, None, 8.0)),
    ("core", "describe", {"structure": "fcc"}, "settings", (5, "paper", THING)),
    ("core", "describe", {}, "structure", NO_STRUCTURE),
    ("core", "describe_boxes", {"settings": "descriptor"}, "grid", NO_STRUCTURE),
    ("core", "describe_boxes", {"grid": "grid"}, "settings", NO_MODEL),
    ("core", "box_grid", {"structure": "fcc"}, "settings", NO_MODEL),
    ("core", "automatic_box_size", {}, "structure", NO_STRUCTURE),
    ("core", "aligned", {"target": "fcc"}, "structure", NO_STRUCTURE),
    ("core", "aligned", {"structure": "fcc"}, "target", NO_STRUCTURE),
    ("core", "aligned", {"structure": "fcc", "target": "fcc"}, "radius", (*NO_NUMBER, None, 0)),
    ("core", "depths", {}, "structure", NO_STRUCTURE),
    ("core", "depths", {"structure": "fcc"}, "points", (5, "x", THING, [1.0], [[np.nan, 0, 0]])),
    ("core", "by_depth", {"structure": "fcc"}, "found", (5, None, "x", THING)),
    ("core", "by_depth", {"found": "found"}, "structure", NO_STRUCTURE),
    ("core", "by_depth", {"found": "found", "structure": "fcc"}, "edges", (5, None, "x", THING, [], [0], [3, 2])),
    ("core", "automatic_box_size", {"structure": "fcc"}, "thin", (*NO_NUMBER, None)),
    ("core", "classify_windows", {"model": "model", "shape": "sphere"}, "structure", NO_STRUCTURE),
    ("core", "classify_windows", {"structure": "fcc", "shape": "sphere"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "classify_windows", {"structure": "fcc", "model": "model"}, "shape", (5, None, "sphere", THING)),
    ("core", "classify_windows", {"structure": "fcc", "model": "model", "shape": "sphere"}, "centers", (5, "x", THING)),
    ("core", "classify_windows", {"structure": "fcc", "model": "model", "shape": "sphere"}, "axis", (5, None, THING)),
    ("core", "classify_windows", {"structure": "fcc", "model": "model", "shape": "sphere"}, "stride", NO_NUMBER),
    ("core", "classify_windows", {"structure": "fcc", "model": "model", "shape": "sphere"}, "min_atoms", NO_COUNT),
    ("core", "Sphere", {}, "radius", (*NO_NUMBER, None, True)),
    ("core", "Layer", {}, "thickness", (*NO_NUMBER, None, True)),
    *(
        ("core", "Cylinder", {o: 5.0}, n, (*NO_NUMBER, None, True))
        for o, n in (("radius", "length"), ("length", "radius"))
    ),
    ("core", "build", {}, "prototype", NO_STRUCTURE),
    ("core", "prototype", {}, "label_or_name", (5, None, THING, [])),
    ("core", "load_model", {}, "name_or_path", NO_MODEL),
    ("core", "load_model", {"name_or_path": "arise-108"}, "device", NO_DEVICE),
    ("core", "SamplingSettings", {}, "passes", NO_COUNT),
    ("core", "SamplingSettings", {}, "tolerance", NO_NUMBER),
    ("core", "MapSettings", {}, "memory_limit", (*NO_NUMBER, None)),
    ("core", "MapSettings", {}, "edges", (*NO_NUMBER, None)),
    *(("core", "DescriptorSettings", {}, n, NO_COUNT) for n in ("n_max", "l_max")),
    *(("core", "DescriptorSettings", {}, n, (*NO_NUMBER, None, True)) for n in ("r_cut", "sigma", "floor")),
    ("core", "DescriptorSettings", {}, "channels", ("x", 5, None, ["x"], ("x",))),
    ("core", "DescriptorSettings", {}, "window", ("x", 5, None)),
    ("core", "DescriptorSettings", {}, "length_scale", (5, None, [])),
    ("core", "rebuild_cell", {}, "structure", NO_STRUCTURE),
    ("core", "rebuild_cell", {"structure": "fcc"}, "atoms", (5, "x", THING, [1.5], [[0, 1]])),
    ("core", "rebuild_cell", {"structure": "fcc"}, "most", NO_COUNT),
    ("core", "name_crystal", {}, "found", (*NO_STRUCTURE, arise.NoCell("no periods"))),
    ("core", "unknown_regions", {"structure": "fcc"}, "found", NO_STRUCTURE),
    ("core", "exploration", {"model": "model"}, "subject", (*NO_STRUCTURE, [5])),
    ("core", "exploration", {"subject": "fcc"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "exploration", {"subject": "fcc", "model": "model"}, "layer", NO_COUNT),
    ("core", "represent", {"model": "model"}, "subject", (*NO_STRUCTURE, [5])),
    ("core", "represent", {"subject": "fcc"}, "model", (*NO_MODEL, "arise-108")),
    ("core", "represent", {"subject": "fcc", "model": "model"}, "layers", (2.5, THING)),
    ("core", "represent", {"subject": "fcc", "model": "model"}, "map_settings", (5, "x", THING)),
    ("core", "represent", {"subject": "fcc", "model": "model"}, "store", NO_PLACE),
    ("core", "represent", {"subject": "fcc", "model": "model"}, "memory_limit", (*NO_NUMBER, None)),
    ("core", "suggest", {"model": "model"}, "sources", (*NO_STRUCTURE, [5])),
    ("core", "suggest", {"sources": "fcc"}, "model", (*NO_MODEL, "arise-108")),
    *(("core", "suggest", {"sources": "fcc", "model": "model"}, n, NO_COUNT) for n in ("n", "layer")),
    *(
        ("core", "suggest", {"sources": "fcc", "model": "model"}, n, (*NO_NUMBER, None))
        for n in ("least", "unknown", "spread", "margin")
    ),
    ("core", "suggest", {"sources": "fcc", "model": "model"}, "mode", (5, None, THING, [])),
    ("core", "write_suggestions", {"suggestions": []}, "folder", (*NO_PLACE, None)),
    ("core", "write_suggestions", {"folder": "out.xyz"}, "suggestions", (5, None, THING, "x", [5])),
    ("core", "find_clusters", {}, "vectors", (5, "x", THING, None, np.zeros(3))),
    ("core", "embed", {}, "vectors", (5, "x", THING, None, np.zeros(3))),
    *(("core", "ExploreSettings", {}, n, NO_COUNT) for n in ("layer", "n_neighbors", "embed_seed")),
    *(("core", "ExploreSettings", {}, n, ("x", [], THING, 2.5, True)) for n in ("min_cluster_size", "min_samples")),
    *(("core", "ExploreSettings", {}, n, (*NO_NUMBER, None)) for n in ("membership", "min_dist")),
    ("ase", "exploration", {}, "images", (5, None, THING)),
    ("ase", "exploration", {"images": "atoms"}, "model", NO_MODEL),
    ("ase", "write_clusters", {"images": "atoms"}, "found", (5, None, THING)),
    ("ase", "classify", {"model": "model"}, "images", (5, None, THING)),
    ("ase", "classify", {"images": "atoms"}, "model", NO_MODEL),
    ("ase", "classify", {"images": "atoms", "model": "model"}, "types", (5, THING, ["Cu"])),
    ("ase", "annotate", {"model": "model"}, "images", (5, None, THING)),
    ("ase", "annotate", {"images": "atoms"}, "model", NO_MODEL),
    ("ase", "annotate", {"images": "atoms", "model": "model"}, "mode", (5, None, "box", [])),
    ("ase", "annotate", {"images": "atoms", "model": "model"}, "stride", NO_NUMBER),
    ("ase", "annotate", {"images": "atoms", "model": "model"}, "resolution", (*NO_NUMBER, None, 8.0)),
    ("ase", "annotate", {"images": "atoms", "model": "model"}, "progress", (*NO_FUNCTION, None)),
    *(("ase", n, {"images": "atoms"}, "device", NO_DEVICE) for n in ("classify", "annotate", "exploration")),
    ("ase", "similarity", {"images": "atoms"}, "device", NO_DEVICE),
    *(("ase", n, {"atoms": "atoms"}, "device", NO_DEVICE) for n in ("solid_fraction", "is_solid", "AriseObserver")),
    ("ase", "AriseCalculator", {}, "device", NO_DEVICE),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "device", NO_DEVICE),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "device", NO_DEVICE),
    ("ase", "similarity", {"model": "model"}, "images", (5, None, THING)),
    ("ase", "similarity", {"images": "atoms", "model": "model"}, "layer", NO_COUNT),
    ("ase", "similarity", {"images": "atoms", "model": "model"}, "min_atoms", NO_COUNT),
    ("ase", "from_atoms", {}, "atoms", NO_STRUCTURE),
    ("ase", "occupied", {}, "atoms", NO_STRUCTURE),
    ("ase", "to_pymatgen", {}, "structure", NO_STRUCTURE),
    ("ase", "occupied", {"atoms": "atoms"}, "min_atoms", NO_COUNT),
    ("ase", "occupied", {"atoms": "atoms"}, "seed", NO_COUNT),
    ("ase", "from_row", {}, "row", NO_STRUCTURE),
    ("ase", "row_fields", {}, "atoms", NO_STRUCTURE),
    ("ase", "read", {}, "filename", (*NO_PLACE, None)),
    ("ase", "write", {"images": "atoms"}, "filename", (*NO_PLACE, None)),
    ("ase", "write", {"filename": "out.xyz"}, "images", (5, None, THING)),
    ("ase", "AriseCalculator", {}, "base", ("EMT", 5, THING, EMT)),
    ("ase", "AriseCalculator", {}, "model", NO_MODEL),
    ("ase", "AriseCalculator", {}, "atoms", ("Cu", 5, THING)),
    ("ase", "AriseCalculator", {}, "interval", NO_COUNT),
    ("ase", "LammpsObserver", {}, "lmp", NO_STRUCTURE),
    ("ase", "AriseObserver", {}, "atoms", NO_STRUCTURE),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "stop", ("fcc", 5, ["fcc"], {"fcc": "x"}, {5: 0.5}, {"fcc": None})),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "dyn", ("VelocityVerlet", 5, THING)),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "interval", NO_COUNT),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "callback", NO_FUNCTION),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "table", NO_PLACE),
    ("ase", "AriseObserver", {"atoms": "atoms"}, "trajectory", NO_PLACE),
    ("ase", "trajectory", {"out": "out.zarr"}, "source", (5, None, THING, [], [5])),
    ("ase", "trajectory", {"source": "in.xyz"}, "out", (*NO_PLACE, None)),
    *(
        ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, n, NO_COUNT)
        for n in ("every", "first", "average")
    ),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "average", (0, 4)),
    *(
        ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, n, (*NO_NUMBER, 2.5, True))
        for n in ("workers", "last")
    ),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "shard", (5, None, (1,), (0, 2), (3, 2), ("1", 2))),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "follow", (*NO_NUMBER, None)),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "executor", (5, "dask", THING)),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "atoms", (5, None, THING)),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "maps", (5, None, THING)),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "time_limit", (*NO_NUMBER, None)),
    ("ase", "trajectory", {"source": "in.xyz", "out": "out.zarr"}, "reader", (5, "ase", THING)),
    *((door, "merge", {"out": "out.zarr"}, "parts", (5, None, "x", THING, [])) for door in ("core", "ase")),
    *((door, "merge", {"parts": ["in.xyz"]}, "out", (*NO_PLACE, None)) for door in ("core", "ase")),
    ("ase", "solid_fraction", {}, "atoms", NO_STRUCTURE),
    ("ase", "solid_fraction", {"atoms": "atoms"}, "model", NO_MODEL),
    ("ase", "solid_fraction", {"atoms": "atoms"}, "classes", (5, [], [5], "gold")),
    ("ase", "solid_fraction", {"atoms": "atoms"}, "interval", (*NO_NUMBER, None, 0, 1)),
    ("ase", "is_solid", {"atoms": "atoms"}, "threshold", (*NO_NUMBER, None, 2)),
    ("ase", "read_atom_probe", {"ranges": "in.xyz"}, "path", (5, None, THING, [])),
    ("ase", "read_atom_probe", {"path": "in.xyz"}, "ranges", (5, None, THING, [])),
    ("ase", "screen", {"out": "out.db"}, "source", (*NO_PLACE, None)),
    ("ase", "screen", {"source": "in.xyz"}, "out", (*NO_PLACE, None)),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "workers", (*NO_NUMBER, 2.5, True)),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "executor", (5, "dask", THING)),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "top", NO_COUNT),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "symprec", (*NO_NUMBER, None)),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "time_limit", (*NO_NUMBER, None)),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "pattern", (5, None, [])),
    ("ase", "screen", {"source": "in.xyz", "out": "out.db"}, "reader", (5, "ase", THING)),
    ("images", "find_atoms", {}, "image", (5, None, "x", THING, [THING], np.zeros(3))),
    ("images", "find_atoms", {"image": "image"}, "pixel_size", (*NO_NUMBER, True, 0)),
    ("images", "find_atoms", {"image": "image"}, "mask", (5, "x", None, THING, [THING])),
    ("images", "find_atoms", {"image": "image"}, "settings", (5, "x", THING)),
    ("images", "find_atoms", {"image": "image"}, "progress", (*NO_FUNCTION, None)),
    *(("images", "ColumnSettings", {}, n, NO_NUMBER) for n in ("spacing", "faintest", "certainty")),
    ("images", "ColumnSettings", {}, "contrast", (5, None, THING, "grey")),
    ("images", "read_image", {}, "path", (5, None, THING, [])),
    ("images", "tell_elements", {}, "columns", NO_STRUCTURE),
    ("images", "tell_elements", {"columns": "columns"}, "elements", (5, THING, [5], "x", "Cu,Cu", [])),
    ("images", "recognise_layer", {"model": "model"}, "columns", NO_STRUCTURE),
    ("images", "recognise_layer", {"columns": "columns"}, "model", (*NO_MODEL, "arise-108")),
    ("images", "recognise_layer", {"columns": "columns", "model": "model"}, "one_layer", (5, None, "x")),
    ("images", "recognise_layer", {"columns": "columns", "model": "model"}, "settings", (5, "x", THING)),
    ("images", "find_rings", {}, "structure", NO_STRUCTURE),
    ("images", "find_rings", {"structure": "fcc"}, "reach", (*NO_NUMBER, 0)),
    ("images", "draw_layer", {"image": "image"}, "found", NO_STRUCTURE),
    ("images", "simulate_image", {"rng": "rng"}, "structure", NO_STRUCTURE),
    ("images", "simulate_image", {"structure": "fcc"}, "rng", (5, None, THING)),
    *(
        ("images", "simulate_image", {"structure": "fcc", "rng": "rng"}, n, (*NO_NUMBER, None, -1))
        for n in ("pixel_size", "margin", "width", "background", "jitter", "blur")
    ),
    ("images", "simulate_image", {"structure": "fcc", "rng": "rng"}, "dose", (*NO_NUMBER, 0)),
]  # fmt: skip


@pytest.fixture(scope="module")
def given(model):
    """What stands for the words in the table."""
    fcc = arise.build(arise.prototype("fcc"))
    return {
        "found": recognise(fcc, model, RecognitionSettings.of({"mode": "whole", "passes": 5})),
        "fcc": fcc, "several": [fcc, fcc], "model": model, "descriptor": model.descriptor, "atoms": bulk("Cu"),
        "grid": arise.box_grid(fcc, arise.MapSettings()), "sphere": arise.Sphere(8.0),
        "image": image_of("graphene"), "columns": columns_in("graphene"), "rng": np.random.default_rng(0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("package", "name", "others", "argument", "values"),
    TABLE,
    ids=[f"{package}.{name}({argument})" for package, name, _, argument, _ in TABLE],
)
def test_wrong_kinds(package, name, others, argument, values, given, tmp_path):
    function = getattr({"core": arise, "ase": ase_arise, "images": arise_images}[package], name)
    bulk("Cu").write(tmp_path / "in.xyz")
    places = {k: tmp_path / k for k in ("in.xyz", "out.xyz", "out.db", "out.zarr")}
    words = {k: {**given, **places}.get(v, v) if isinstance(v, str) else v for k, v in others.items()}
    for value in values:
        with pytest.raises(AriseError, match=f"`{argument}") as caught:
            function(**words, **{argument: value})
        assert type(caught.value).__module__ == "arise_core.errors", value
    assert not places["out.db"].exists()


def test_every_public_function_is_in_the_table():
    """Those without arguments, and classes that others make, are not."""
    packages = {"core": arise, "ase": ase_arise, "images": arise_images}
    known = {(word, name) for word, package in packages.items() for name in package.__all__}
    core = (
        "BoxGrid", "Calibration", "Model", "ModelError", "Name", "NoCell", "PointValues", "Prediction", "Prototype",
        "RebuiltCell", "Shell", "StridedMap", "known_models", "prototypes", "map_steps", "Clusters", "Embedding",
        "Exploration", "Representations", "exploration_steps", "Suggestion", "TrajectoryResults",
        "RebuiltCell", "StridedMap", "known_models", "prototypes", "map_steps", "Clusters", "Embedding", "Exploration",
        "Representations", "exploration_steps", "Suggestion", "TrajectoryResults", "Windows",
    )  # fmt: skip
    images = ("Columns", "ImageRecognition", "Micrograph", "Rings")
    free = {*(("core", n) for n in core), *(("images", n) for n in images)}
    free |= {("ase", "Row"), ("ase", "TrajectoryResults")}
    assert known - {(package, name) for package, name, *_ in TABLE} == free | {("ase", "StopSimulation")}


def test_the_network_and_settings_too(model):
    features = np.zeros((1, model.descriptor.n_features))
    for call in (
        lambda: model.predict("x"), lambda: model.predict(None), lambda: model.predict(features, "x"),
        lambda: model.predict(features, 5), lambda: model.representations(features, "x"),
        lambda: model.representations(features, None), lambda: RadialChannel(weight="flat", taper="x"),
        lambda: RadialChannel(weight="flat", share=None), lambda: RadialChannel(weight="flat", pairs=[]),
        lambda: RecognitionSettings(mode=[]), lambda: Rule(min_confidence="x"), lambda: Rule(reject_threshold=[]),
        lambda: arise.DescriptorSettings.preset(5), lambda: arise.DescriptorSettings.from_dict(5),
        lambda: recognise(5, model), lambda: recognise(arise.build(arise.prototype("fcc")), model, 5),
        lambda: Reader(format=5),
        lambda: next(arise.map_steps(arise.build(arise.prototype("fcc")), model, 5, arise.SamplingSettings())),
    ):  # fmt: skip
        with pytest.raises(AriseError):
            call()


EVERY_PARAMETER = [
    (ovito_arise.AriseModifier, "grid_vis"),
    *(
        (kind, name)
        for kind in (ovito_arise.AriseModifier, ovito_arise.AriseRegions, ovito_arise.AriseStoredResults)
        for name in kind().editable_traits()
        if not name.startswith("_")
    ),
]


@pytest.mark.parametrize(
    ("kind", "name"), EVERY_PARAMETER, ids=[f"{kind.__name__}({name})" for kind, name in EVERY_PARAMETER]
)
def test_every_parameter_of_both_modifiers_refuses_wrong_kinds(kind, name):
    for value in (THING, [THING], "nothing of this name", b"x", {5: THING}, -9):
        with pytest.raises((AriseError, TraitError), match=name):
            kind(**{name: value})


#: Options that take any text.
FREE = ("--pattern",)
#: Commands, and what they need beside a file.
COMMANDS = {
    "classify": [],
    "map": [],
    "similarity": [],
    "explore": [],
    "image": [],
    "screen": ["--out"],
    "suggest": ["--out"],
    "calibrate": ["--label"],
    "trajectory": ["--out"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_command_line_refuses_wrong_values(command, tmp_path):
    """By name, with code 1 or 2, before anything is written."""
    bulk("Cu").write(tmp_path / "in.xyz")
    options = [
        p.opts[-1] for p in get_command(app).commands[command].params if not getattr(p, "is_flag", False)
    ]
    options = [name for name in options if name.startswith("--") and name not in FREE]
    assert "--seed" in options or command == "suggest"
    for name in options:
        out = [w for need in COMMANDS[command] if need != name for w in (need, str(tmp_path / "out.db"))]
        value = str(tmp_path / "in.xyz") if name in ("--out", "--store") else "x"
        done = CliRunner().invoke(app, [command, str(tmp_path / "in.xyz"), *out, name, value])
        said = " ".join(done.stderr.replace("│", " ").split())
        assert done.exit_code in (1, 2), (name, done.output)
        assert isinstance(done.exception, SystemExit)
        spelled = {"--model": "no model of the zoo", "--atoms": "file 'x'"}.get(name, name)
        assert spelled in said or f"`{name[2:].replace('-', '_')}`" in said, (name, said)
        assert [p.name for p in tmp_path.iterdir()] == ["in.xyz"], name


def test_long_values_are_cut():
    with pytest.raises(
        InputTypeError, match=r"`structures` must be .* got array\(\[0\., .{,60}\.\.\."
    ) as caught:
        arise.classify([np.zeros(1000)], arise.load_model("arise-108"))
    assert len(str(caught.value)) < 200
