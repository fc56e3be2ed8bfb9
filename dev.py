"""The developers' verbs, which CI, contributors and the README share. Needs nothing but Python to be read.

python dev.py test [ARGUMENTS OF PYTEST]      tests, over the cores; `-m slow` runs those that take long
python dev.py lint [--fix]                    ruff: rules and format
python dev.py types [ARGUMENTS OF MYPY]       mypy, strict, on all packages
python dev.py check [ARGUMENTS OF PYTEST]     lint, types and test
python dev.py docs [--write]                  examples and links of README and docs; figures that are drawn by scripts
python dev.py site                            the documentation as a site, strictly, its notebooks executed; in out/site
python dev.py zoo                             files of the zoo that are missing, and the list of their hashes
python dev.py bench [NAME ...]                the benchmarks in their short form: do they run, and how fast roughly
python dev.py dist                            both distributions: built, checked, installed and tried elsewhere
python dev.py lean [--newest]                 a new environment with arise-core alone: its size, and quick tests there;
                                              of the newest Python here instead of this one
python dev.py lowest                          a new environment with the lowest versions of all that is needed: the same
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
#: Tests of what README and docs say. The slow ones are left out of `test`.
DOCS_TESTS = (
    "tests/test_readme.py",
    "tests/test_docs.py",
    "tests/test_architecture.py",
    "tests/ase/test_docs.py",
    "tests/ovito/test_docs.py",
)
#: The newest Python 3.x that the package is for, as in pyproject.toml.
NEWEST = 13
#: Processes for all tests; each has torch and OVITO, up to 2 GiB.
MOST_PROCESSES = 4
#: Figures that are drawn by a script beside them, and do not depend on the machine.
DRAWN = (ROOT / "docs" / "pictures" / "architecture.svg",)
#: Benchmarks that need nothing but the package, and their short form; those of `benchmarks/md` need LAMMPS.
BENCHMARKS = {
    "speed": "--quick",
    "overhead": "--repeats 1 --cells 8 --million 20",
    "screening": "--structures 96 --passes 20 --cells 6",
    "unknown": "--passes 200 --known 40",
    "name_unknown": "--short",
    "samples": "--quick",
    "huge": "--sizes 4e3 --stride 6 --passes 8",
}
#: Where their figures go; those of the docs are made by the long form, `python -m benchmarks.NAME`.
BENCH_OUT = ROOT / "out" / "benchmarks"
#: Quick tests that need no OVITO and no extra, and what they need beside them.
QUICK_TESTS = ("tests/test_lean.py", "tests/ase/test_annotate.py", "tests/model/test_model.py")
BESIDE_TESTS = ("tests", "distributions", "pyproject.toml", "model_zoo/arise-108")
#: What is tried with the lowest versions too.
LOWEST_TESTS = (
    *QUICK_TESTS,
    "tests/cli/test_main.py",
    "tests/ase/test_calculator.py",
    "tests/explore/test_clusters.py",
    "tests/ovito/test_outputs.py",
    "tests/golden",
)


def module(*arguments: str, python: str | Path = sys.executable, folder: Path = ROOT) -> int:
    """Run `python -m ...` in the repository, or elsewhere; its exit code."""
    print("+ python -m", *arguments, flush=True)
    return subprocess.run([python, "-m", *arguments], cwd=folder, check=False).returncode


def test(*arguments: str) -> int:
    """Tests; all of them, without arguments, file by file over the cores.

    In their own order: by default those files come last that have few tests, and these are the long ones.
    """
    cores = str(min(os.cpu_count() or 1, MOST_PROCESSES))
    everything = ("-n", cores, "--dist", "loadfile", "--no-loadscope-reorder")
    return module("pytest", "-q", *(arguments or everything))


def lint(*arguments: str) -> int:
    """Rules and format; `--fix` mends what can be mended."""
    fix = arguments == ("--fix",)
    if arguments and not fix:
        return usage(f"lint takes --fix, got {' '.join(arguments)}")
    rules = module("ruff", "check", *(["--fix"] if fix else []), ".")
    return module("ruff", "format", *([] if fix else ["--check"]), ".") or rules


def types(*arguments: str) -> int:
    """Strict types."""
    return module("mypy", *arguments)


def check(*arguments: str) -> int:
    """All that a change has to pass; stops at what fails."""
    return lint() or types() or test(*arguments)


def docs(*arguments: str) -> int:
    """Examples, links and drawn figures; `--write` draws the figures anew."""
    write = arguments == ("--write",)
    if arguments and not write:
        return usage(f"docs takes --write, got {' '.join(arguments)}")
    for figure in DRAWN:
        code = figure.with_suffix(".py")
        print("+ python", code.relative_to(ROOT), flush=True)
        drawn = subprocess.run([sys.executable, code], capture_output=True, cwd=ROOT, check=True).stdout
        if write:
            figure.write_bytes(drawn)
        elif figure.read_bytes() != drawn:
            print(f"{figure.relative_to(ROOT)} is not what its script draws: python dev.py docs --write")
            return 1
    return test("-m", "slow or not slow", *DOCS_TESTS)


def site(*arguments: str) -> int:
    """The site. A link that leads nowhere, a page that is not in the menu or a notebook that fails ends it."""
    if arguments:
        return usage("site takes no arguments")
    environment = os.environ | {"ARISE_RUN_NOTEBOOKS": "true", "NO_MKDOCS_2_WARNING": "1"}
    print("+ python -m mkdocs build --strict", flush=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def zoo(*arguments: str) -> int:
    """Missing files of the zoo, and the list of hashes."""
    return module("arise_core.training.ship") if not arguments else usage("zoo takes no arguments")


def bench(*arguments: str) -> int:
    """Benchmarks in their short form."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        return usage(f"bench takes {', '.join(BENCHMARKS)}, got {' '.join(unknown)}")
    BENCH_OUT.mkdir(parents=True, exist_ok=True)
    out = ("--out", str(BENCH_OUT))
    return max(module(f"benchmarks.{n}", *BENCHMARKS[n].split(), *out) for n in arguments or BENCHMARKS)


def dist(*arguments: str) -> int:
    """Wheels and source distributions."""
    if arguments:
        return usage("dist takes no arguments")
    return test("-m", "slow or not slow", "tests/test_metadata.py", "tests/test_distributions.py")


def lean(*arguments: str) -> int:
    """`arise-core` alone, and tests away from the checkout."""
    if arguments not in ((), ("--newest",)):
        return usage("lean takes --newest or no arguments")
    with environment() as (folder, python):
        away = folder / "away"
        for name in BESIDE_TESTS:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (away / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, away / name)
        return (
            module("venv", str(folder / "venv"), python=newest() if arguments else sys.executable)
            or module("pip", "install", "-q", "distributions/arise-core", python=python)
            or size(folder / "venv")
            or module(
                "pip", "install", "-q", "pytest>=8", "hypothesis>=6.100", "jsonschema>=4.20", python=python
            )
            or module("pytest", "-q", *QUICK_TESTS, python=python, folder=away)
        )


def lowest(*arguments: str) -> int:
    """Lowest versions of all direct dependencies, by uv."""
    if arguments:
        return usage("lowest takes no arguments")
    with environment() as (folder, python):
        return (
            module("uv", "venv", "-q", "--python", sys.executable, str(folder / "venv"))
            or module(
                "uv", "pip", "install", "-q", "--python", str(python), "--resolution", "lowest-direct",
                "-r", "distributions/arise-core/pyproject.toml", "-r", "pyproject.toml",
                "--extra", "all", "--extra", "test",
            )
            or size(folder / "venv")
            or module("pytest", "-q", *LOWEST_TESTS, python=python)
        )  # fmt: skip


@contextmanager
def environment() -> Iterator[tuple[Path, Path]]:
    """A temporary folder, and where the Python of the environment `venv` in it will be."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        yield place, place / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def newest() -> str:
    """The newest Python of this machine for which the package is; that which runs this, where there is no other."""
    places = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep)]
    places += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    for minor in range(NEWEST, sys.version_info.minor, -1):
        for place in places:
            python = str(place / f"python3.{minor}")
            if shutil.which(python) and works(python):
                return python
    return sys.executable


def works(python: str) -> bool:
    """Whether it runs: what stands in PATH may only point to a Python that is not installed."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def size(folder: Path) -> int:
    """Print what an environment takes on the disk, as `du -sm` does; 0."""
    states = [p.lstat() for p in folder.rglob("*")]
    taken = sum(getattr(s, "st_blocks", s.st_size // 512) for s in states) / 2048
    print(f"the environment takes {taken:.0f} MB", flush=True)
    return 0


VERBS: dict[str, Callable[..., int]] = {
    verb.__name__: verb for verb in (test, lint, types, check, docs, site, zoo, bench, dist, lean, lowest)
}


def usage(message: str = "") -> int:
    """Say what there is."""
    print(f"{__doc__}\n{message}".rstrip(), file=sys.stderr)
    return 2


def main(arguments: list[str]) -> int:
    """Run a verb; its exit code, 2 for wrong usage."""
    if not arguments or arguments[0] not in VERBS:
        return usage(f"no verb {arguments[0]!r}" if arguments else "")
    return VERBS[arguments[0]](*arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
