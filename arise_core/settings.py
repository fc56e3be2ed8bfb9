"""Every default of the core, once: descriptor, map and sampling settings."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from arise_core.errors import InputError, InputTypeError, check_type, shown

PRESETS = ("paper", "corrected", "weighted")
Padding = Literal["half", "none", "full"]
Edges = Literal["exact", "box"]
Between = Literal["linear", "sure"]
Resolution = Literal["auto", "single", "sharp"]
#: Of the mutual information, bit; "auto": what `SamplingSettings` says; None: all passes.
Tolerance = float | Literal["auto"] | None
#: No setting is larger.
LARGEST = 1e15


def _check_numbers(owner: Any, names: tuple[str, ...], kinds: type | tuple[type, ...], wanted: str) -> None:
    """Raise InputTypeError unless attributes are of some kinds; True and False are no numbers."""
    for name in names:
        value = getattr(owner, name)
        check_type(name, None if isinstance(value, bool) else value, kinds, wanted)


@dataclass(frozen=True, kw_only=True)
class RadialChannel:
    """One way in which the pair sums enter the descriptor: weights of distances, and of pairs of species.

    Args:
        weight: "flat" (1 up to the taper) or "falling", 1 + 2x³ - 3x² with x = r / reach.
        taper: width in d over which a smooth step takes the weight to zero at the reach; 0 for a hard end.
        share: squared norm that the channel gets in the descriptor (whose own squared norm is at most 1).
        pairs: exponent p of the weights (c_α c_β)^p under which the pairs of species are averaged, c the shares of
            the species among the atoms; 0: all pairs alike, as in Leitherer et al. (2021). "blind": all atoms are
            of one species.
    """

    weight: Literal["flat", "falling"]
    taper: float = 0.0
    share: float = 1.0
    pairs: float | Literal["blind"] = 0.0

    def __post_init__(self) -> None:
        if self.weight not in ("flat", "falling"):
            raise InputError(f"`weight` must be 'flat' or 'falling', got {self.weight!r}")
        _check_numbers(self, ("taper", "share"), (int, float, np.number), "a number")
        if not isinstance(self.pairs, str):
            _check_numbers(self, ("pairs",), (int, float, np.number), "a number or 'blind'")
        if not self.taper >= 0:
            raise InputError(f"`taper` must not be negative, got {self.taper}")
        if not 0 < self.share <= 1:
            raise InputError(f"`share` must be in (0, 1], got {self.share}")
        known = self.pairs == "blind" if isinstance(self.pairs, str) else 0 <= self.pairs <= LARGEST
        if not known:
            raise InputError(f"`pairs` must be a number that is not negative or 'blind', got {self.pairs!r}")


@dataclass(frozen=True, kw_only=True)
class DescriptorSettings:
    """What the descriptor of a structure or box is. Lengths are in units of the length scale d.

    Use `DescriptorSettings.paper()`, `.corrected()` or `.weighted()`. A model card names the settings its model was
    trained with, and a model is never fed with others.

    Args:
        n_max: number of radial functions.
        l_max: highest degree of the spherical harmonics.
        r_cut: cut-off radius of the radial basis, d.
        sigma: width of the Gaussian that stands for an atom, d.
        channels: weights of distances and pairs of species; each contributes (l_max + 1) n_max (n_max + 1) / 2
            numbers.
        window: divide each pair by the set covariance of the material's support (correction for finite pieces).
        floor: smallest set covariance that is divided by.
        length_scale: "pair-peak" (first peak of the pair density) or "nearest-neighbour" (mode of the
            nearest-neighbour distances).
    """

    n_max: int = 9
    l_max: int = 6
    r_cut: float = 4.0
    sigma: float = 0.1
    channels: tuple[RadialChannel, ...] = (RadialChannel(weight="falling"),)
    window: bool = True
    floor: float = 0.05
    length_scale: Literal["pair-peak", "nearest-neighbour"] = "pair-peak"

    def __post_init__(self) -> None:
        _check_numbers(self, ("n_max", "l_max"), (int, np.integer), "a whole number")
        _check_numbers(self, ("r_cut", "sigma", "floor"), (int, float, np.number), "a number")
        check_type("window", self.window, bool, "True or False")
        check_type("channels", self.channels, tuple, "a tuple of RadialChannel")
        for channel in self.channels:
            check_type("channels", channel, RadialChannel, "a tuple of RadialChannel")
        if self.n_max < 1 or self.l_max < 0:
            raise InputError(f"`n_max` must be >= 1 and `l_max` >= 0, got {self.n_max} and {self.l_max}")
        if not self.r_cut > 1 or not self.sigma > 0:
            raise InputError(f"`r_cut` must be > 1 d and `sigma` > 0, got {self.r_cut} and {self.sigma}")
        if not self.channels or abs(sum(c.share for c in self.channels) - 1) > 1e-9:
            raise InputError(
                f"`channels` must be non-empty with shares that add up to 1, got {self.channels}"
            )
        if self.length_scale not in ("pair-peak", "nearest-neighbour"):
            raise InputError(
                f"`length_scale` must be 'pair-peak' or 'nearest-neighbour', got {self.length_scale!r}"
            )

    @classmethod
    def paper(cls) -> DescriptorSettings:
        """Settings of Leitherer et al. (2021): free clusters, hard cut-off, nearest-neighbour length scale."""
        return cls(channels=(RadialChannel(weight="flat"),), window=False, length_scale="nearest-neighbour")

    @classmethod
    def corrected(cls) -> DescriptorSettings:
        """Window correction, length scale from the pair density, a smooth radial weight."""
        return cls()

    @classmethod
    def weighted(cls) -> DescriptorSettings:
        """As `corrected`, but species count as much as there is of them, so that one foreign atom decides nothing.

        Three channels: pairs of species weighted by (c_α c_β)^½, which tells compounds from each other, by c_α c_β,
        which splitting a species into equivalent ones does not change, and all atoms alike, for the lattice.
        """
        third = 1 / 3
        return cls(
            channels=(
                RadialChannel(weight="falling", share=third, pairs=0.5),
                RadialChannel(weight="falling", share=third, pairs=1.0),
                RadialChannel(weight="falling", share=1 - 2 * third, pairs="blind"),
            )
        )

    @classmethod
    def preset(cls, name: str) -> DescriptorSettings:
        """Settings by name.

        Raises:
            ValueError: there is no such preset.
        """
        if name not in PRESETS:
            raise InputError(f"`name` of a descriptor preset must be one of {PRESETS}, got {name!r}")
        return {"paper": cls.paper, "corrected": cls.corrected, "weighted": cls.weighted}[name]()

    @property
    def reach(self) -> float:
        """Distance in d beyond which no neighbour counts: r_cut and the tail of a Gaussian (to 0.001)."""
        return self.r_cut + self.sigma * math.sqrt(-2 * math.log(1e-3))

    @property
    def radials(self) -> tuple[RadialChannel, ...]:
        """The first channel of each radial weight; others with the same one share its sums over pairs."""
        found: dict[tuple[str, float], RadialChannel] = {}
        for channel in self.channels:
            found.setdefault((channel.weight, channel.taper), channel)
        return tuple(found.values())

    @property
    def radial_of(self) -> tuple[int, ...]:
        """Position among `radials` of the radial weight of each channel."""
        known = [(r.weight, r.taper) for r in self.radials]
        return tuple(known.index((c.weight, c.taper)) for c in self.channels)

    @property
    def blind(self) -> bool:
        """Whether a channel takes all atoms as one species."""
        return any(c.pairs == "blind" for c in self.channels)

    @property
    def alike(self) -> bool:
        """Whether a channel weighs all pairs of species alike, however few atoms a species has."""
        return any(c.pairs == 0 for c in self.channels)

    @property
    def channel_size(self) -> int:
        """Numbers per channel: (l_max + 1) n_max (n_max + 1) / 2."""
        return (self.l_max + 1) * self.n_max * (self.n_max + 1) // 2

    @property
    def n_features(self) -> int:
        """Length of the descriptor."""
        return self.channel_size * len(self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, for cards and recipes; `from_dict` is the inverse.

        Weights of pairs of species are left out where all are alike, as in cards of before there were any.
        """
        channels = [asdict(c) for c in self.channels]
        for channel in channels:
            if channel["pairs"] == 0:
                del channel["pairs"]
        return asdict(self) | {"channels": channels}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DescriptorSettings:
        """Settings from `to_dict` output.

        Raises:
            ValueError: an unknown key or a value out of range.
        """
        check_type("data", data, Mapping, "a mapping")
        unknown = sorted(set(data) - {f.name for f in fields(cls)})
        if unknown:
            raise InputError(f"unknown descriptor settings {unknown}")
        try:
            channels = tuple(RadialChannel(**c) for c in data["channels"])
            return cls(**{**data, "channels": channels})
        except (TypeError, KeyError) as error:
            raise InputError(f"incomplete or malformed descriptor settings: {error}") from error


# --- options: settings that users meet in every door -----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Option:
    """What the doors show of a setting: keyword of `strided_map` and `annotate`, parameter in OVITO, `--option`.

    Args:
        label: in OVITO's panel.
        text: what it is, for help texts.
        low: smallest value.
        above: whether `low` itself is not allowed.
        choices: the values there are, if they are words.
        words: words that may stand for a number.
        none: number that stands for None, for doors that have no empty numbers.
        result: whether results depend on it; work may go on with another value of what they do not depend on.
    """

    label: str
    text: str
    low: float | None = None
    above: bool = False
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    none: float | None = None
    result: bool = True

    def check(self, name: str, value: Any, default: Any) -> None:
        """Raise InputError unless the setting may have this value.

        Args:
            name: of the setting, for the message.
            value: in plain Python types.
            default: of the setting; its type says whether True and False, whole numbers or numbers will do.
        """
        if not _is_plain(value):
            fits = False
        elif self.choices:
            fits = value in self.choices
        elif isinstance(default, bool):
            fits = isinstance(value, bool)
        elif (value is None and self.none is not None) or (isinstance(value, str) and value in self.words):
            fits = True
        else:
            kinds = int if isinstance(default, int) else (int, float)
            fits = isinstance(value, kinds) and not isinstance(value, bool) and abs(value) <= LARGEST
            if fits and self.low is not None:
                fits = value > self.low if self.above else value >= self.low
        if not fits:
            raise InputError(f"`{name}` {self._wanted(value, isinstance(default, int))}, got {_shown(value)}")

    def _wanted(self, value: Any, whole: bool) -> str:
        """What a value has to be instead, for messages."""
        if self.choices:
            return f"must be {_listed(self.choices)}"
        unit = f"number of {self.unit}" if self.unit else "whole number" if whole else "number"
        if isinstance(value, int if whole else (int, float)) and LARGEST < value < np.inf:
            return f"must be at most {LARGEST:g}"
        if self.above:
            return f"must be a positive {unit}{self._words}"
        if self.low is None or not isinstance(value, int if whole else (int, float)):
            return f"must be a {unit}{self._words}"
        return ("must not be negative" if self.low == 0 else f"must be at least {self.low:g}") + self._words

    @property
    def _words(self) -> str:
        """What may stand for a number, for messages."""
        return "".join(f" or {w!r}" for w in self.words) + (" or None" if self.none is not None else "")

    @property
    def unit(self) -> str:
        """Unit in the label's parentheses, spelled for messages; "" without one."""
        found = self.label.rpartition("(")[2].removesuffix(")") if self.label.endswith(")") else ""
        return {"bit": "bits"}.get(found, found)


def check_number(
    name: str,
    value: Any,
    *,
    whole: bool = False,
    low: float | None = None,
    above: bool = False,
    unit: str = "",
) -> Any:
    """An argument as a number of Python's.

    Args:
        name: of the argument.
        value: that is given; numbers of numpy will do.
        whole: whether it has to be a whole number.
        low: smallest value.
        above: whether `low` itself is not allowed.
        unit: for the message.

    Raises:
        InputError: it is no such number.
    """
    if isinstance(value, np.generic):
        value = value.item()
    known = Option(label=f"({unit})" if unit else "", text="", low=low, above=above)
    known.check(name, value, 1 if whole else 1.0)
    return value


def _shown(value: Any) -> str:
    """Plain values as they are, others cut, with their kind."""
    return repr(value) if _is_plain(value) else shown(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, type(None)))


def option(default: Any, **words: Any) -> Any:
    """A field of a settings class with its `Option`."""
    return field(default=default, metadata={"option": Option(**words)})


def options_of(settings: type) -> dict[str, tuple[Any, Option]]:
    """Default and `Option` of every setting of a class, by name."""
    return {f.name: (f.default, f.metadata["option"]) for f in fields(settings) if "option" in f.metadata}


def _listed(words: tuple[str, ...]) -> str:
    quoted = [repr(w) for w in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def check_options(settings: Any) -> None:
    """Raise InputError unless every setting is in its range.

    Numbers of numpy become Python's, and what stands for None becomes None.
    """
    for name, (default, known) in options_of(type(settings)).items():
        value = getattr(settings, name)
        if isinstance(value, np.generic):
            value = value.item()
        if known.none is not None and isinstance(value, (int, float)) and value == known.none:
            value = None
        object.__setattr__(settings, name, value)
        known.check(name, value, default)


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How boxes are laid over a structure. A setting added here appears in all doors.

    Args:
        box_size: edge of the boxes (perpendicular height along each cell vector), Å; "auto": the smallest with
            100 atoms in the median box.
        stride: distance from box to box, Å; along a periodic direction the nearest smaller divisor of the
            period is used. About half the smallest box is fine enough.
        thin: open directions up to so many boxes thick are spanned by one layer of boxes. 1: what is thinner than a
            box. With 1.5, boxes of 16 Å slide along the axis only of a wire of up to 24 Å, and over the plane only of
            a sheet.
        resolution: "single": all boxes have one size. "sharp": each place has the answer of the smallest box around it
            that is sure, from boxes of about 32 atoms to those of `box_size`; with its default larger ones, up to 400
            atoms, are asked which class it is where these hold fewer than some 280. "auto": "sharp" with the default
            `box_size` and a model that knows when it is sure, else "single".
        padding: where boxes lie along open directions. "half": centres run over the structure, boxes stick
            out by up to half their size; "none": boxes stay inside; "full": every box that touches.
        edges: "exact" finds the support of partly filled boxes; "box" takes them as clipped by flat faces.
        between: how classes are read off between the centres of boxes. "linear": from those around a point; "sure":
            smoothly from more of them, of which those that are sure of a class count more, see
            `StridedMap.values_at`. Uncertainties are linear in both.
        min_atoms: boxes with fewer atoms give NaN.
        min_atoms_per_species: for models that weigh all pairs of species alike (`arise-108-ideal`,
            `arise-108-paper`): a species with fewer atoms in a box is treated as missing there. Others need no
            such rule.
        memory_limit: GiB that sums over pairs may take; fewer tiles of boxes are worked on at once rather
            than exceed it. Does not change any result, and does not count what is returned.

    Raises:
        InputError: a value out of range, or a stride larger than the box.
    """

    box_size: float | Literal["auto"] = option(
        16.0, label="Box size (Å)", low=0.0, above=True, words=("auto",),
        text="edge of the boxes, Å; smaller boxes see smaller grains and are less sure",
    )  # fmt: skip
    stride: float = option(
        3.0, label="Stride (Å)", low=0.0, above=True, text="distance from box to box, Å; at most the box size"
    )
    thin: float = option(
        1.0, label="One layer up to (box sizes)", low=1.0,
        text="open directions up to so many boxes thick are spanned by one layer of boxes, as wires and sheets are",
    )  # fmt: skip
    resolution: Resolution = option(  # noqa: RUF009 - a field
        "auto", label="Resolution", choices=get_args(Resolution),
        text="sharp: at each place the smallest box that is sure, up to the box size; single: boxes of one size; auto: "
        "sharp unless the box size is another than the default",
    )  # fmt: skip
    padding: Padding = option(  # noqa: RUF009 - a field
        "half", label="At open borders", choices=get_args(Padding),
        text="half: box centres run to the surface; none: boxes stay inside; full: every box that touches",
    )  # fmt: skip
    edges: Edges = option(  # noqa: RUF009 - a field
        "exact", label="Partly filled boxes", choices=get_args(Edges),
        text="exact: corrected for the shape of the material inside; box: taken as cut by flat faces (faster)",
    )  # fmt: skip
    between: Between = option(  # noqa: RUF009 - a field
        "linear", label="Between boxes", choices=get_args(Between),
        text="linear: from the nearest boxes; sure: smoothly, boxes that are sure of a class count more",
    )  # fmt: skip
    min_atoms: int = option(
        20,
        label="Fewest atoms in a box",
        low=1,
        text="boxes, and open structures as a whole, with fewer atoms get no prediction",
    )
    min_atoms_per_species: int = option(
        4, label="Fewest atoms of a species", low=1,
        text="models that weigh all pairs of species alike: a species with fewer atoms in a box is missing there",
    )  # fmt: skip
    memory_limit: float = option(
        4.0,
        label="Memory for sums (GiB)",
        low=0.0,
        above=True,
        result=False,
        text="GiB that sums over pairs may take",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if not isinstance(self.box_size, str) and self.stride > self.box_size:
            raise InputError(f"`stride` must not exceed `box_size` ({self.box_size} Å), got {self.stride} Å")

    def resolved(self, *, several: bool) -> MapSettings:
        """The same with a resolution that is not "auto".

        Args:
            several: whether boxes may have several sizes (`Model.knows_when_sure`).
        """
        if self.resolution != "auto":
            return self
        sharp = several and self.box_size == MapSettings.box_size
        return replace(self, resolution="sharp" if sharp else "single")


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How often the network is run with dropout, and when a prediction is good enough.

    Args:
        passes: forward passes, at most.
        tolerance: a box needs no more passes once the standard error of its mutual information is below this
            (bit) and its label and rejection cannot change (3 standard errors). "auto": once the standard error is
            below a tenth of the mutual information, or 0.02 bit where that is more, and its label and rejection cannot
            change or are known to be a tie; a box whose passes all say the same is done after 8, one that is rejected
            beyond doubt at 0.04 bit. In maps of several sizes a box then needs no passes where those around it have
            settled what it is (`StridedMap.audit` says how well). None or 0: always all passes of every box.
        seed: of the dropout masks.

    Raises:
        InputError: a value out of range.
    """

    passes: int = option(
        1000, label="Passes, at most", low=1, text="forward passes with dropout, in maps at most"
    )
    tolerance: Tolerance = option(  # noqa: RUF009 - a field
        None, label="Tolerance (bit)", low=0.0, above=True, none=0.0, words=("auto",),
        text="standard error of the mutual information at which a box needs no more passes; auto: a tenth of it, or "
        "0.02 bit where that is more; 0: all passes",
    )  # fmt: skip
    seed: int = option(0, label="Seed", low=0, text="of the dropout masks")

    def __post_init__(self) -> None:
        check_options(self)


#: Tolerance of strided maps.
MAP_TOLERANCE: Tolerance = "auto"
#: Score from which something is none of the classes: a number, None for never, or "card" for the model's own.
Threshold = float | None | Literal["card"]


def check_threshold(threshold: Any) -> None:
    """Raise InputError unless a threshold of rejection is None, "card" or a number in [0, 1]."""
    if threshold is None or (isinstance(threshold, str) and threshold == "card"):
        return
    if isinstance(threshold, str):
        raise InputError(f"`reject_threshold` must be a number, None or 'card', got {threshold!r}")
    if not isinstance(threshold, (int, float, np.number)) or not 0 <= threshold <= 1:
        raise InputError(f"`reject_threshold` must be in [0, 1] or None, got {threshold}")


#: Probabilities that a map keeps of each box: those of its five most probable classes, or all.
KeptProbabilities = Literal["top", "all"]


def check_kept(probabilities: Any) -> None:
    """Raise InputError unless it tells which probabilities a map keeps."""
    if not isinstance(probabilities, str) or probabilities not in get_args(KeptProbabilities):
        raise InputError(f"`probabilities` must be 'top' or 'all', got {shown(probabilities)}")


Mode = Literal["auto", "whole", "local"]
#: Structures with more atoms than this are mapped box by box in mode "auto": "larger systems (e.g., more than
#: 1000 atoms)" is what strided pattern matching is for (Leitherer et al. 2021). Fewer get one label.
LOCAL_ATOMS = 1000


@dataclass(frozen=True, kw_only=True)
class RecognitionSettings:
    """How a structure is recognised, as a whole or box by box.

    Args:
        mode: "whole" (one prediction for all atoms), "local" (a strided map), or "auto": local above
            `LOCAL_ATOMS` atoms.
        map: how boxes are laid. `min_atoms` holds for open structures in mode "whole" too.
        sampling: of the network; the tolerance is that of maps, whole structures get all passes.
        reject_threshold: score from which something is none of the classes; "card": the model's own; None:
            never.

    Raises:
        InputError: a value out of range.
    """

    mode: Mode = "auto"
    map: MapSettings = field(default_factory=MapSettings)
    sampling: SamplingSettings = field(default_factory=lambda: SamplingSettings(tolerance=MAP_TOLERANCE))
    reject_threshold: Threshold = "card"

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise InputError(f"`mode` must be one of {get_args(Mode)}, got {self.mode!r}")
        check_threshold(self.reject_threshold)
        given: Any = self.reject_threshold
        if isinstance(given, np.generic):
            object.__setattr__(self, "reject_threshold", given.item())

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RecognitionSettings:
        """Settings from keyword arguments: mode, reject_threshold, and all of `MapSettings` and `SamplingSettings`.

        Raises:
            InputTypeError: an unknown argument; the message lists the known ones.
            InputError: a value out of range.
        """
        own, boxes, sampling = split_options(options, ("mode", "reject_threshold"))
        return cls(map=MapSettings(**boxes), sampling=map_sampling(sampling), **own)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """All keyword arguments of `of` with their defaults."""
        return cls().to_options()

    def to_options(self) -> dict[str, Any]:
        """The keyword arguments that `of` makes these settings from; plain types."""
        return {
            "mode": self.mode,
            **asdict(self.map),
            **asdict(self.sampling),
            "reject_threshold": self.reject_threshold,
        }

    def resolved(self, *, several: bool) -> RecognitionSettings:
        """The same with boxes as `MapSettings.resolved` has them."""
        return replace(self, map=self.map.resolved(several=several))

    def is_local(self, n_atoms: int) -> bool:
        """Whether a structure of so many atoms is mapped box by box."""
        return self.mode == "local" or (self.mode == "auto" and n_atoms > LOCAL_ATOMS)


def map_sampling(options: Mapping[str, Any]) -> SamplingSettings:
    """Sampling settings of maps: the tolerance is `MAP_TOLERANCE` unless it is given."""
    return SamplingSettings(**{"tolerance": MAP_TOLERANCE, **options})


def with_options(function: Callable[..., Any], *settings: type, **defaults: Any) -> inspect.Signature:
    """The signature of a function whose `**settings` are the options of some classes, for help texts.

    Args:
        function: with a parameter `**settings`.
        settings: classes whose options it takes.
        defaults: other defaults than the classes'.
    """
    signature = inspect.signature(function)
    plain = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name, default))
        for group in settings
        for name, (default, _) in options_of(group).items()
    ]
    return signature.replace(parameters=[*plain, *more])


def split_options(
    options: Mapping[str, Any], own: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Keyword arguments: the caller's own, those of `MapSettings` and those of `SamplingSettings`.

    Boxes have one size where that is given and nothing is said of the resolution.

    Raises:
        InputTypeError: an unknown one; the message lists the known ones.
    """
    groups: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    names = (own, tuple(options_of(MapSettings)), tuple(options_of(SamplingSettings)))
    for name, value in options.items():
        for group, known in zip(groups, names, strict=True):
            if name in known:
                group[name] = value
                break
        else:
            known_names = [n for known in names for n in known]
            raise InputTypeError(f"unknown argument {name!r}; known: {', '.join(known_names)}")
    if "box_size" in groups[1]:
        groups[1].setdefault("resolution", "single")
    return groups


#: The model of every door of this package.
DEFAULT_MODEL = "arise-108"
#: Names that torch has for devices which compute; a number may follow ("cuda:1").
DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "xla")
#: Tolerance of spglib's space groups in screenings, Å.
SYMPREC = 0.01
#: Share of errors that a calibration promises not to exceed, and with which confidence.
RATE, CONFIDENCE = 0.05, 0.95
#: Seconds that an entry of a screening may take.
TIME_LIMIT = 1800.0
#: Classes kept an entry in screenings.
TOP = 5
#: Hidden layer whose activations are compared: the second, as in Leitherer et al. (2021), Figure 3d.
LAYER = 1


#: GiB of representations that are kept in memory.
KEPT = 2.0
#: Minimum cluster sizes that are tried, as in Leitherer et al. (2021), Methods.
CLUSTER_SIZES = (25, 50, 100, 250, 500, 1000)
#: Samples suggested for labelling; doubt below which nothing is, bit; Å around a box that are given with it.
SUGGESTED = 20
LEAST_DOUBT = 0.05
MARGIN = 4.0


@dataclass(frozen=True, kw_only=True)
class ExploreSettings:
    """How the network's representations of boxes or structures are clustered and laid out on a plane.

    Args:
        layer: hidden layer, 0 for the first; negative numbers count from the last.
        components: principal components on which clusters and the plane are found, the paper's way is None: all the
            numbers of the layer. 50 take a tenth of the time or less and find the same large clusters.
        min_cluster_size: boxes that a cluster needs; "auto": the suggestion of a scan over `CLUSTER_SIZES`.
        min_samples: neighbours by which HDBSCAN measures density; None: as many as `min_cluster_size`.
        soft: every box goes to the cluster of its largest membership, for data with much noise.
        membership: with `soft`, what has less of every cluster stays an outlier.
        embed: whether boxes are laid out on a plane (UMAP).
        n_neighbors: over which the plane keeps distances; more show the whole, fewer details.
        min_dist: smallest distance of points on the plane.
        embed_seed: of the plane's random numbers.

    Raises:
        InputError: a value out of range.
    """

    layer: int = option(LAYER, label="Hidden layer", text="0 the first, -1 the last")
    components: int | None = option(
        50, label="Principal components", low=1, none=0,
        text="so many of the numbers that a layer has for each box are clustered and laid out; 0: all as they are, "
        "slower",
    )  # fmt: skip
    min_cluster_size: int | Literal["auto"] = option(
        "auto", label="Smallest cluster", low=2, words=("auto",),
        text="boxes that are alike count as a cluster from so many on, fewer are outliers; auto: sizes from 25 to 1000 "
        "are tried and the best is taken",
    )  # fmt: skip
    min_samples: int | None = option(
        None, label="Samples of the density", low=1, none=0,
        text="neighbours by which density is measured; 0: as many as the smallest cluster",
    )  # fmt: skip
    soft: bool = option(
        False, label="Soft clusters", text="each box goes to the cluster of its largest membership"
    )
    membership: float = option(
        0.1, label="Least membership", low=0.0,
        text="soft clusters: what has less of every cluster stays an outlier",
    )  # fmt: skip
    embed: bool = option(True, label="Lay out on a plane", text="a map of similarity, by UMAP")
    n_neighbors: int = option(
        50, label="Neighbours on the plane", low=2, text="over which the plane keeps distances"
    )
    min_dist: float = option(
        0.1, label="Least distance on the plane", low=0.0, text="smallest distance of points, up to 1"
    )
    embed_seed: int = option(0, label="Seed of the plane", low=0, text="of the plane's random numbers")

    def __post_init__(self) -> None:
        check_options(self)
        for name in ("components", "min_cluster_size", "min_samples"):
            value = getattr(self, name)
            if isinstance(value, float):  # numbers that words may stand for come as floats from the doors
                if value != int(value):
                    raise InputError(f"`{name}` must be a whole number, got {value}")
                object.__setattr__(self, name, int(value))
        for name in ("membership", "min_dist"):
            if getattr(self, name) > 1:
                raise InputError(f"`{name}` must be in [0, 1], got {getattr(self, name)}")
