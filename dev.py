"""The developers' verbs, which CI, contributors and the README share. Needs nothing but Python to be read.

python dev.py test [ARGUMENTS OF PYTEST]      tests; `-m slow` runs those that take minutes
python dev.py lint [--fix]                    ruff: rules and format
python dev.py types [ARGUMENTS OF MYPY]       mypy, strict, on all packages
python dev.py check [ARGUMENTS OF PYTEST]     lint, types and test
python dev.py docs [--write]                  examples and links of README and docs; figures that are drawn by scripts
python dev.py zoo                             files of the zoo that are missing, and the list of their hashes
python dev.py bench [NAME ...]                the benchmarks in their short form: do they run, and how fast roughly
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
#: Tests of what README and docs say. The slow ones are left out of `test`.
DOCS_TESTS = (
    "tests/test_readme.py",
    "tests/test_architecture.py",
    "tests/ase/test_docs.py",
    "tests/ovito/test_docs.py",
)
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


def module(*arguments: str) -> int:
    """Run `python -m ...` in the repository; its exit code."""
    print("+ python -m", *arguments, flush=True)
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=False).returncode


def test(*arguments: str) -> int:
    """Tests."""
    return module("pytest", "-q", *arguments)


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


VERBS: dict[str, Callable[..., int]] = {
    verb.__name__: verb for verb in (test, lint, types, check, docs, zoo, bench)
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
