"""A model of a user's own crystals alone: a folder of structure files, a class each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.standard import ReadStructure, read_structure
from arise_core.errors import InputError, MissingFileError
from arise_core.model.model import Model
from arise_core.progress import Job, Progress, run, silent
from arise_core.runtime.files import zoo_root
from arise_core.settings import DEFAULT_MODEL
from arise_core.training.own_crystals import CrystalFile, make_crystal, same_crystal
from arise_core.training.recipe import Recipe, read_recipe
from arise_core.training.samples.kinds import without_class
from arise_core.training.samples.mixture import PerturbedSamples
from arise_core.training.train import train_steps


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """How the recipe of a large model is fitted to a few classes.

    Args:
        disorder: disordered samples, at least; more in proportion to the classes.
        unknown: the same for crystals that are none of the classes.
    """

    disorder: int = 1000
    unknown: int = 1000


def train_folder(
    folder: Path,
    out: Path,
    *,
    recipe: Path | None = None,
    settings: FolderSettings | None = None,
    read: ReadStructure = read_structure,
    progress: Progress = silent,
) -> Model:
    """Train a model on the structures in a folder, a class each, named after their files.

    Interrupted, the same call goes on where it stopped.

    Args:
        folder: structure files in any format that `ase.io` reads; hidden files are passed over.
        out: folder for the model.
        recipe: TOML file of a recipe; that of the default model, with fewer samples to reject, if left out.
        settings: changes to the default recipe.
        read: the structure in a file; default: by `ase.io`.
        progress: called with the share of the work done.

    Raises:
        FileNotFoundError: no such folder, or recipe.
        ValueError: fewer than two files, a bad or repeated crystal, or an `out` with other work.
    """
    return run(train_folder_steps(folder, out, recipe=recipe, settings=settings, read=read), progress)


def train_folder_steps(
    folder: Path,
    out: Path,
    *,
    recipe: Path | None = None,
    settings: FolderSettings | None = None,
    read: ReadStructure = read_structure,
) -> Job[Model]:
    """`train_folder` as a job; closed, it leaves what the next one goes on with."""
    if not folder.is_dir():
        raise MissingFileError(f"`folder` {str(folder)!r} does not exist")
    files = sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))
    if len(files) < 2:
        raise InputError(
            f"`folder` {str(folder)!r} must hold at least two structure files, it has {len(files)}"
        )
    crystals, sources = read_folder(files, read)
    settings = settings or FolderSettings()
    plan = read_recipe(recipe) if recipe is not None else default_recipe(len(crystals), settings)
    names = ", ".join(c.info.name for c in crystals)
    plan = replace(plan, name=out.name, description=f"Own crystals: {names}.", classes=())
    return (yield from train_steps(plan, out, crystals, sources))


def read_folder(
    files: list[Path], read: ReadStructure = read_structure
) -> tuple[tuple[Crystal, ...], tuple[CrystalFile, ...]]:
    """A class of each file.

    Raises:
        ValueError: as `make_crystal`, or two files of one crystal.
    """
    crystals: list[Crystal] = []
    sources: list[CrystalFile] = []
    for path in files:
        crystal, source = make_crystal(path, path.stem, [c.info for c in crystals], read)
        same = same_crystal(crystal, crystals)
        if same is not None:
            raise InputError(
                f"structure file {str(path)!r} is the crystal structure of {same.label}, whatever its elements and "
                "size; remove one of the two"
            )
        crystals.append(crystal)
        sources.append(source)
    return tuple(crystals), tuple(sources)


def default_recipe(n_classes: int, settings: FolderSettings) -> Recipe:
    """The default model's first training for a few classes: none is favoured, samples to reject in proportion."""
    recipe = read_recipe(zoo_root() / DEFAULT_MODEL / "recipe.toml")
    samples = recipe.samples
    assert isinstance(samples, PerturbedSamples), "the default model is made of perturbed samples"
    least = dict.fromkeys(without_class(), 0) | {"disorder": settings.disorder, "unknown": settings.unknown}
    counts = {k: max(n, samples.counts[k] * n_classes // 108) for k, n in least.items()}
    return replace(recipe, samples=replace(samples.with_counts(counts), box_factors={}), further=None)
