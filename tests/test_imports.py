"""Who may import whom, and what importing costs."""

import ast
import importlib
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("arise_core", "ase_arise", "ovito_arise", "arise_images", "arise_cli")
#: Floors from the ground up; a module imports from its own floor and from those below.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("arise_core.errors", "arise_core.progress", "arise_core.settings", "arise_core.version"),
    ("arise_core.runtime",),
    ("arise_core.geometry",),
    ("arise_core.descriptor",),
    ("arise_core.engine",),
    ("arise_core.crystals",),
    ("arise_core.model",),
    ("arise_core.recognition",),
    ("arise_core.explore",),
    ("arise_core.trajectories",),
    ("arise_core.training",),
    ("arise_core.benchmark",),
    ("arise_core.testing", "arise_core._moved", "arise_core"),  # the names that users see
    ("ase_arise", "ovito_arise", "arise_images"),
    ("arise_cli",),
)
TRAINING = [floor[0] for floor in FLOORS].index("arise_core.training")


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(path: Path) -> set[str]:
    """Names of all modules and objects that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(*packages: str) -> list[Path]:
    return [p for package in packages for p in sorted((ROOT / package.replace(".", "/")).rglob("*.py"))]


def edges() -> dict[str, set[str]]:
    """Modules of ours that each module of ours imports."""
    names = {module_name(p): p for p in files(*PACKAGES)}
    graph = defaultdict(set)
    for name, path in names.items():
        graph[name] = set()
        for target in imported(path):
            while target and target not in names:  # an object: the module that holds it
                target = target.rpartition(".")[0]
            if target and target != name:
                graph[name].add(target)
    return graph


def floor(module: str) -> int:
    """Number of the floor that a module lies on."""
    fits = [
        (len(room), k) for k, rooms in enumerate(FLOORS) for room in rooms
        if module == room or module.startswith(room + ".")
    ]  # fmt: skip
    return max(fits)[1]


def users(*modules: str, among: list[Path]) -> list[str]:
    """Files that import one of some modules."""
    return [
        str(p.relative_to(ROOT)) for p in among
        if any(name == m or name.startswith(m + ".") for name in imported(p) for m in modules)
    ]  # fmt: skip


def test_imports_point_downwards():
    wrong = [(a, b) for a, found in edges().items() for b in sorted(found) if floor(b) > floor(a)]
    assert wrong == []


def test_there_is_no_circle():
    graph = {name: {t for t in found if t not in PACKAGES} for name, found in edges().items()}
    list(TopologicalSorter(graph).static_order())


def test_the_rules_would_be_noticed(tmp_path):
    (tmp_path / "bad.py").write_text("def f():\n    from arise_core.training import fit\n")
    assert imported(tmp_path / "bad.py") == {"arise_core.training.fit"}
    assert floor("arise_core.training.fit") > floor("arise_core.recognition.whole")
    assert floor("arise_core") > floor("arise_core.training") > floor("arise_core.settings") == 0
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
    graph = edges()
    assert "arise_core.geometry.material" in graph["arise_core.engine.grid"]
    assert len(graph) > 80


def test_inference_never_imports_training():
    inference = [n for n in edges() if n.startswith("arise_core.") and floor(n) < TRAINING]
    assert len(inference) > 30
    reached, todo = set(), list(inference)
    graph = edges()
    while todo:
        for target in graph[todo.pop()] - reached:
            reached.add(target)
            todo.append(target)
    assert not {n for n in reached if n.startswith(("arise_core.training", "arise_core.benchmark"))}


def test_the_core_knows_no_adapter_and_no_gui():
    assert users("ovito", "traits", "typer", "rich", "PySide6", among=files("arise_core")) == []


def test_adapters_do_not_import_each_other():
    assert users("ase_arise", "ase", "arise_cli", among=files("ovito_arise")) == []
    assert users("ovito_arise", "ovito", "arise_cli", among=files("ase_arise")) == []
    assert users("ovito_arise", "ovito", "ase_arise", "ase", "arise_cli", among=files("arise_images")) == []
    assert users("arise_images", among=files("ase_arise", "ovito_arise")) == []


def test_ase_and_spglib_have_their_places():
    assert users("ase", among=[p for p in files(*PACKAGES) if p.parent.name != "crystals"]) == [
        str(p.relative_to(ROOT)) for p in files("ase_arise") if users("ase", among=[p])
    ]
    assert users("spglib", among=files(*PACKAGES)) == ["arise_core/crystals/symmetry.py"]


def test_compiled_loops_hold_no_policy():
    """They know numbers and arrays only: nothing of ours but the compiler."""
    loops = [p for p in files("arise_core") if p.name == "loops.py"]
    assert len(loops) == 5
    for path in loops:
        assert {n.rpartition(".")[0] for n in imported(path) if n.startswith("arise_")} == {
            "arise_core.runtime.compilation"
        }


def test_inference_and_ovito_start_no_process():
    """Threads only: a fork of OVITO or of a program with a GPU takes their locks along."""
    processes = (
        "multiprocessing",
        "subprocess",
        "concurrent.futures.ProcessPoolExecutor",
        "os.fork",
        "joblib",
    )
    workers = ROOT / "arise_core" / "runtime" / "workers.py"
    # workers.py is the one place with processes, which are spawned, for training, benchmarks, screenings, trajectories
    everywhere = [p for p in files(*PACKAGES) if p != workers]
    assert users(*processes, among=everywhere) == []
    # and OVITO's readers, for files that may hang them
    allowed = (
        "arise_core/training/",
        "arise_core/benchmark/",
        "arise_core/runtime/tasks.py",
        "arise_cli/readers.py",
    )
    assert all(u.startswith(allowed) for u in users("arise_core.runtime.workers", among=everywhere))
    handing = ("ase_arise/screening/", "ase_arise/trajectories/")
    assert all(u.startswith(handing) for u in users("arise_core.runtime.tasks", among=everywhere))
    assert 'get_context("spawn")' in workers.read_text(encoding="utf-8")


# --- public names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["arise_core", "ase_arise", "ovito_arise", "arise_images"])
def test_public_names(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        first = getattr(module, name)
        assert callable(first)
        importlib.import_module(first.__module__)
        assert getattr(module, name) is first, f"a module hides {name!r} once it is imported"
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_public_functions_without_arguments_can_be_called_twice():
    import arise_core as arise

    for _ in range(2):
        assert len(arise.prototypes()) == 108
        assert arise.prototype("fcc").number > 0
        assert "arise-108" in arise.known_models()


def test_no_module_bears_the_name_of_a_public_function():
    public = {
        name
        for package in ("arise_core", "ase_arise", "ovito_arise", "arise_images")
        for name in importlib.import_module(package).__all__
    }
    modules = {part for name in edges() for part in name.split(".")}
    assert public & modules == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


# --- what importing costs -------------------------------------------------------------------------------------


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("module", ["arise_core", "ase_arise", "ovito_arise", "arise_images"])
def test_import_is_light(module):
    """Importing loads no heavy library and starts no thread; using the core loads no OVITO."""
    out = run(
        f"import sys, threading, {module}; print(sorted(m for m in ('torch', 'numba', 'ovito', 'dscribe', 'scipy') "
        "if m in sys.modules), threading.active_count())"
    )
    heavy = {"arise_core": "[] 1", "ase_arise": "[] 1", "arise_images": "[] 1"}
    if module in heavy:
        assert out.strip() == heavy[module]
    else:
        assert out.strip().endswith(" 1")


def test_core_works_without_the_adapters():
    out = run(
        "import sys\n"
        "for name in ('ovito', 'traits', 'ovito_arise', 'ase_arise', 'arise_images', 'arise_cli'):\n"
        "    sys.modules[name] = None\n"
        "import arise_core as arise\n"
        "p = arise.classify(arise.build(arise.prototype('fcc')), arise.load_model('arise-108'), passes=10)\n"
        "print(p.names[0])"
    )
    assert out.strip() == "fcc"
