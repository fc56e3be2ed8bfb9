"""Every default of finding atomic columns in images, once."""

from __future__ import annotations

from dataclasses import dataclass

from arise_core.errors import InputError
from arise_core.settings import check_options, option

CONTRASTS = ("auto", "bright", "dark")


@dataclass(frozen=True, kw_only=True)
class ColumnSettings:
    """How atomic columns are found in an image.

    Args:
        contrast: whether columns are brighter or darker than what is between them; "auto": whichever explains the
            image better, "bright" if both do as well.
        spacing: distance of neighbouring columns in pixels; None: from the image's own spectrum.
        faintest: a column has at least this share of the brightness of a bright one.
        certainty: a column stands out of the noise by so many standard deviations.

    Raises:
        InputError: a value out of range.
    """

    contrast: str = option(
        "auto", label="Contrast", choices=CONTRASTS,
        text="whether columns are bright or dark; auto: whichever explains the image better",
    )  # fmt: skip
    spacing: float | None = option(
        None, label="Spacing (pixels)", low=0.0, none=0.0,
        text="distance of neighbouring columns; 0: from the image's own spectrum",
    )  # fmt: skip
    faintest: float = option(
        0.12,
        label="Faintest column",
        low=0.0,
        text="share of the brightness of a bright one that a column has",
    )
    certainty: float = option(
        3.3, label="Certainty", low=0.0,
        text="standard deviations of the noise by which a column stands out",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        if self.faintest >= 1:
            raise InputError(f"`faintest` must be below 1, got {self.faintest}")
        if self.spacing is not None and self.spacing < 3:
            raise InputError(f"`spacing` must be at least 3 pixels, got {self.spacing}")
