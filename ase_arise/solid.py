"""How much of a structure is solid: what melting points and nucleation runs ask for, of any of the classes."""

from __future__ import annotations

from collections.abc import Iterable

from ase import Atoms

from arise_core.errors import InputError, InputTypeError, check_type
from arise_core.model.classes import ClassTable
from arise_core.recognition.result import recognise
from arise_core.recognition.shares import INTERVAL, Share, check_interval, share_of
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings, check_number
from ase_arise.convert import Device, ModelLike, as_model, to_material

Classes = str | Iterable[str] | None


def solid_fraction(
    atoms: Atoms,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    classes: Classes = None,
    interval: float = INTERVAL,
    **options: object,
) -> Share:
    """Share of the atoms that are crystalline, with a credible interval, from a single configuration.

    Args:
        atoms: a structure; it stays as it is.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        classes: the crystals that count, by short name or label ("fcc", ["fcc", "hcp"]); None: any class of the model.
        interval: probability that the share lies in the interval, in (0, 1).
        **options: of `RecognitionSettings.of`; boxes of 12 Å unless `box_size` says otherwise: small ones show small
            regions and sharp fronts.

    Returns:
        share, low, high; the interval is about what the model doubts and about the places of fronts (`shares_of`), not
        about other errors in which it is sure.

    Raises:
        TypeError, ValueError: an argument that is refused, or a structure as in `annotate`.
    """
    check_type("atoms", atoms, Atoms, "an ase.Atoms object")
    check_interval(interval)
    settings = RecognitionSettings.of({"mode": "local", "box_size": BOX_SIZE, **options})
    network = as_model(model, device)
    chosen = None if classes is None else _numbers(classes, network.class_info)
    return share_of(recognise(to_material(atoms), network, settings), chosen, interval)


#: Edge of the boxes, Å.
BOX_SIZE = 12.0


def is_solid(
    atoms: Atoms,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    classes: Classes = None,
    threshold: float = 0.5,
    **options: object,
) -> bool:
    """Whether more than a share of the atoms is crystalline.

    Args:
        atoms, model, device, classes, **options: see `solid_fraction`.
        threshold: the share, from 0 to 1.

    Raises:
        TypeError, ValueError: as `solid_fraction`.
    """
    if not 0 <= check_number("threshold", threshold) <= 1:
        raise InputError(f"`threshold` must be from 0 to 1, got {threshold!r}")
    found = solid_fraction(atoms, model, device=device, classes=classes, **options)  # type: ignore[arg-type]
    return found.share > threshold


def _numbers(classes: object, table: ClassTable) -> list[int]:
    """Indices of classes by short name or label.

    Raises:
        InputError: one that the model has not, or none.
    """
    if not isinstance(classes, str | Iterable):
        raise InputTypeError(f"`classes` must be names of classes, got {classes!r}")
    names = [classes] if isinstance(classes, str) else list(classes)
    if not names:
        raise InputError("`classes` is empty")
    for name in names:
        check_type("classes", name, str, "names of classes")
    return [table.find(name, "classes") for name in names]
