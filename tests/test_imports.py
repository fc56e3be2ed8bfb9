"""Who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

CORE = ROOT / "arise_core"


def imported(path: Path) -> set[str]:
    """Names of all modules that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def offenders(folder: Path, forbidden: tuple[str, ...], skip: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), name)
        for path in sorted(folder.rglob("*.py"))
        if not any(part in skip for part in path.relative_to(folder).parts)
        for name in imported(path)
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]


def test_core_imports_no_adapter_and_no_gui():
    assert offenders(CORE, ("ovito", "traits", "ovito_arise", "ase_arise")) == []


def test_inference_never_imports_training():
    # cli.py is the way from the command line to training; testing.py and benchmark/ are not inference.
    assert offenders(CORE, ("arise_core.training",), skip=("training", "cli.py", "benchmark")) == []


def test_adapters_do_not_import_each_other():
    assert offenders(ROOT / "ovito_arise", ("ase_arise",)) == []
    assert offenders(ROOT / "ase_arise", ("ovito_arise", "ovito")) == []


def test_inference_and_ovito_start_no_process():
    """Threads only: a fork of OVITO or of a program with a GPU takes their locks along."""
    processes = (
        "multiprocessing",
        "subprocess",
        "concurrent.futures.ProcessPoolExecutor",
        "os.fork",
        "joblib",
    )
    # workers.py is the one place with processes, which are spawned; these use it:
    own = (*processes, "arise_core.workers")
    assert offenders(CORE, own, skip=("training", "benchmark", "workers.py")) == []
    assert offenders(ROOT / "ovito_arise", own) == []
    assert offenders(ROOT / "ase_arise", processes) == []
    assert 'get_context("spawn")' in (CORE / "workers.py").read_text(encoding="utf-8")


def test_the_rule_would_be_noticed(tmp_path):
    (tmp_path / "bad.py").write_text("def f():\n    from arise_core.training import fit\n")
    assert imported(tmp_path / "bad.py") >= {"arise_core.training"}


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("module", ["arise_core", "ase_arise", "ovito_arise"])
def test_import_is_light(module):
    """Importing loads no heavy library and starts no thread; using the core loads no OVITO."""
    out = run(
        f"import sys, threading, {module}; print(sorted(m for m in ('torch', 'numba', 'ovito', 'dscribe', 'scipy') "
        "if m in sys.modules), threading.active_count())"
    )
    heavy = {"arise_core": "[] 1", "ase_arise": "[] 1"}
    if module in heavy:
        assert out.strip() == heavy[module]
    else:
        assert out.strip().endswith(" 1")


def test_core_works_without_the_adapters():
    out = run(
        "import sys\n"
        "for name in ('ovito', 'traits', 'ovito_arise', 'ase_arise'): sys.modules[name] = None\n"
        "import arise_core as arise\n"
        "p = arise.classify(arise.build(arise.prototype('fcc')), arise.load_model('arise-108'), passes=10)\n"
        "print(p.names[0])"
    )
    assert out.strip() == "fcc"


def test_names_of_the_core():
    import arise_core as arise

    for name in arise.__all__:
        assert getattr(arise, name) is not None
    assert set(arise.__all__) <= set(dir(arise))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = arise.nothing
