"""Every default of the core, once: descriptor, map and sampling settings."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

PRESETS = ("paper", "corrected")
Padding = Literal["half", "none", "full"]
Edges = Literal["exact", "box"]


@dataclass(frozen=True, kw_only=True)
class RadialChannel:
    """One radial weight under which the pair sums enter the descriptor.

    Args:
        weight: "flat" (1 up to the taper) or "falling", 1 + 2x³ - 3x² with x = r / reach.
        taper: width in d over which a smooth step takes the weight to zero at the reach; 0 for a hard end.
        share: squared norm that the channel gets in the descriptor (whose own squared norm is 1).
    """

    weight: Literal["flat", "falling"]
    taper: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.weight not in ("flat", "falling"):
            raise ValueError(f"`weight` must be 'flat' or 'falling', got {self.weight!r}")
        if not self.taper >= 0:
            raise ValueError(f"`taper` must not be negative, got {self.taper}")
        if not 0 < self.share <= 1:
            raise ValueError(f"`share` must be in (0, 1], got {self.share}")


@dataclass(frozen=True, kw_only=True)
class DescriptorSettings:
    """What the descriptor of a structure or box is. Lengths are in units of the length scale d.

    Use `DescriptorSettings.paper()` or `DescriptorSettings.corrected()`. A model card names the settings its
    model was trained with, and a model is never fed with others.

    Args:
        n_max: number of radial functions.
        l_max: highest degree of the spherical harmonics.
        r_cut: cut-off radius of the radial basis, d.
        sigma: width of the Gaussian that stands for an atom, d.
        channels: radial weights; each contributes (l_max + 1) n_max (n_max + 1) / 2 numbers.
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
        if self.n_max < 1 or self.l_max < 0:
            raise ValueError(f"`n_max` must be >= 1 and `l_max` >= 0, got {self.n_max} and {self.l_max}")
        if not self.r_cut > 1 or not self.sigma > 0:
            raise ValueError(f"`r_cut` must be > 1 d and `sigma` > 0, got {self.r_cut} and {self.sigma}")
        if not self.channels or abs(sum(c.share for c in self.channels) - 1) > 1e-9:
            raise ValueError(
                f"`channels` must be non-empty with shares that add up to 1, got {self.channels}"
            )
        if self.length_scale not in ("pair-peak", "nearest-neighbour"):
            raise ValueError(
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
    def preset(cls, name: str) -> DescriptorSettings:
        """Settings by name.

        Raises:
            ValueError: `name` is neither "paper" nor "corrected".
        """
        if name not in PRESETS:
            raise ValueError(f"`name` of a descriptor preset must be one of {PRESETS}, got {name!r}")
        return cls.paper() if name == "paper" else cls.corrected()

    @property
    def reach(self) -> float:
        """Distance in d beyond which no neighbour counts: r_cut and the tail of a Gaussian (to 0.001)."""
        return self.r_cut + self.sigma * math.sqrt(-2 * math.log(1e-3))

    @property
    def channel_size(self) -> int:
        """Numbers per channel: (l_max + 1) n_max (n_max + 1) / 2."""
        return (self.l_max + 1) * self.n_max * (self.n_max + 1) // 2

    @property
    def n_features(self) -> int:
        """Length of the descriptor."""
        return self.channel_size * len(self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, for cards and recipes; `from_dict` is the inverse."""
        return asdict(self) | {"channels": [asdict(c) for c in self.channels]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DescriptorSettings:
        """Settings from `to_dict` output.

        Raises:
            ValueError: an unknown key or a value out of range.
        """
        unknown = sorted(set(data) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(f"unknown descriptor settings {unknown}")
        try:
            channels = tuple(RadialChannel(**c) for c in data["channels"])
            return cls(**{**data, "channels": channels})
        except (TypeError, KeyError) as error:
            raise ValueError(f"incomplete or malformed descriptor settings: {error}") from error


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """How boxes are laid over a structure.

    Args:
        box_size: edge of the boxes (perpendicular height along each cell vector), Å.
        stride: distance from box to box, Å; along a periodic direction the nearest smaller divisor of the
            period is used.
        padding: where boxes lie along open directions. "half": centres run over the structure, boxes stick
            out by up to half their size; "none": boxes stay inside; "full": every box that touches.
        edges: "exact" finds the support of partly filled boxes; "box" takes them as clipped by flat faces.
        min_atoms: boxes with fewer atoms give NaN.
        min_atoms_per_species: a species with fewer atoms in a box is treated as missing there.
        memory_limit: GiB that sums over pairs may take; fewer tiles of boxes are worked on at once rather
            than exceed it. Does not change any result, and does not count what is returned.
    """

    box_size: float = 16.0
    stride: float = 3.0
    padding: Padding = "half"
    edges: Edges = "exact"
    min_atoms: int = 20
    min_atoms_per_species: int = 4
    memory_limit: float = 4.0

    def __post_init__(self) -> None:
        if not self.memory_limit > 0:
            raise ValueError(f"`memory_limit` must be a positive number of GiB, got {self.memory_limit}")
        for name in ("box_size", "stride"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be a positive number of Å, got {value}")
        if self.stride > self.box_size:
            raise ValueError(f"`stride` must not exceed `box_size` ({self.box_size} Å), got {self.stride} Å")
        if self.padding not in ("half", "none", "full"):
            raise ValueError(f"`padding` must be 'half', 'none' or 'full', got {self.padding!r}")
        if self.edges not in ("exact", "box"):
            raise ValueError(f"`edges` must be 'exact' or 'box', got {self.edges!r}")
        for name in ("min_atoms", "min_atoms_per_species"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How often the network is run with dropout, and when a prediction is good enough.

    Args:
        passes: forward passes, at most.
        tolerance: a box needs no more passes once the standard error of its mutual information is below this
            (bit) and its label and rejection cannot change (3 standard errors). None: always all passes.
        seed: of the dropout masks.
    """

    passes: int = 1000
    tolerance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError(f"`passes` must be at least 1, got {self.passes}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(f"`tolerance` must be a positive number of bits or None, got {self.tolerance}")
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative, got {self.seed}")


#: Tolerance of strided maps, bit.
MAP_TOLERANCE = 0.01
