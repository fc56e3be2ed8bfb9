"""Options that several commands have, and those that follow from the settings of the core."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from arise_cli.completion import model_names, words
from arise_core.settings import Option, options_of, with_options

ModelOption = Annotated[
    str, typer.Option(help="Name of a model of the zoo, or a path.", autocompletion=model_names)
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", help="Where the network runs: cpu, cuda, cuda:1, ...; the CPU, where that is missing."
    ),
]
ModeOption = Annotated[
    str,
    typer.Option(
        help="'whole', 'local', or 'auto': local for large structures.",
        autocompletion=words("whole", "local", "auto"),
    ),
]
Top = Annotated[int, typer.Option(min=1, help="Classes shown for each structure.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of a table; `arise schema` says what is in it.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Draw = Annotated[
    bool,
    typer.Option(
        "--draw", help="Fill partly occupied sites at random (by --seed): a supercell of 500 atoms."
    ),
]
TypesOption = Annotated[
    str,
    typer.Option(
        "--types", help="Elements of types or names that tell none, such as 1=Cu,A=Si; X leaves a type out."
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="Format of the files, as ASE names it: lammps-data, vasp, extxyz, ...")
]
ReaderOption = Annotated[
    str,
    typer.Option(
        "--reader",
        help="ase, ovito, or auto: ASE, and OVITO for what ASE cannot read.",
        autocompletion=words("ase", "ovito", "auto"),
    ),
]
RangesOption = Annotated[
    str,
    typer.Option(
        "--ranges", help="Range file (.rrng, .rng or .env) of an atom probe, for .pos, .epos and .apt files."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 if a structure is rejected or has no label.")
]

Command = Callable[..., None]


def takes(*settings: type, only: Sequence[str] = (), **defaults: Any) -> Callable[[Command], Command]:
    """A command whose `**settings` are options of the command line, one for each setting of some classes.

    The command gets the values in the form that the classes take. What is no number is wrong usage; the ranges are
    checked by the classes.

    Args:
        settings: classes of settings, such as `MapSettings`.
        only: names of the settings that it takes; empty: all.
        defaults: other defaults than the classes'.
    """
    known = {name: option for group in settings for name, (_, option) in options_of(group).items()}
    chosen = {name: option for name, option in known.items() if not only or name in only}

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        parameters = []
        for p in with_options(command, *settings, **defaults).parameters.values():
            if p.name in chosen:
                kind, default = _kind(p.default, chosen[p.name])
                known_words = (*chosen[p.name].choices, *chosen[p.name].words)
                completes = words(*known_words) if known_words else None
                option = typer.Option(help=_help(chosen[p.name]), autocompletion=completes)
                p = p.replace(annotation=Annotated[kind, option], default=default)
            elif p.name not in known:
                p = p.replace(annotation=hints[p.name])
            else:
                continue
            parameters.append(p)

        @functools.wraps(command)
        def with_settings(**values: Any) -> None:
            command(**{k: _value(k, v, chosen[k]) if k in chosen else v for k, v in values.items()})

        with_settings.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
        with_settings.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return with_settings

    return decorate


def _kind(default: Any, option: Option) -> tuple[type, Any]:
    """Type of an option on the command line, and its default there."""
    if option.choices or option.words:
        return str, f"{option.none:g}" if default is None else str(default)
    if default is None:
        return float, option.none
    return type(default), default


def _value(name: str, given: Any, option: Option) -> Any:
    """What the settings take for what the command line gives.

    Raises:
        typer.BadParameter: neither a number nor one of the words that may stand for it.
    """
    if option.words and given not in option.words:
        try:
            given = float(given)
        except ValueError as error:
            unit = f" of {option.unit}" if option.unit else ""
            words = " or ".join(repr(w) for w in option.words)
            raise typer.BadParameter(
                f"must be a number{unit} or {words}, got {given!r}", param_hint=option_name(name)
            ) from error
    return None if option.none is not None and given == option.none else given


def option_name(name: str) -> str:
    """A setting as it is spelled on the command line: "--box-size"."""
    return f"--{name.replace('_', '-')}"


def _help(option: Option) -> str:
    """What a setting is, as in OVITO, and the words that may stand for a number."""
    words = "".join(f"; or {word!r}" for word in option.words)
    return f"{option.label}: {option.text}{words}."


def check_suffix(path: Path | None, suffix: str, name: str, *more: str) -> None:
    """Refuse the name of a file that does not end as its format, or one of more, wants; None stands for no file.

    Raises:
        typer.BadParameter: another end.
    """
    if path is not None and path.suffix not in (suffix, *more):
        known = f"{', '.join((suffix, *more[:-1]))} or {more[-1]}" if more else suffix
        raise typer.BadParameter(f"must end in {known}, got {str(path)!r}", param_hint=option_name(name))


def check_picture(path: Path | None) -> None:
    """Refuse the name of a picture in a format that is none; None stands for no picture.

    Raises:
        typer.BadParameter: another end.
    """
    check_suffix(path, ".png", "plot", ".pdf", ".svg")
