"""The arrays of a store of a trajectory's results: what each holds, and over what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from arise_core.trajectories.kept import UNITS

#: Frames of a chunk, atoms, and boxes of maps.
FRAMES, ATOMS, BOXES = 256, 1 << 20, 1 << 16
#: Bytes of the reason of a failure.
REASON = 400
#: Status of frames.
OPEN, DONE, FAILED = 0, 1, 2


@dataclass(frozen=True)
class Column:
    """An array of the store."""

    dtype: str
    empty: Any  # of frames that are not done
    dims: tuple[str, ...] = ("frame",)
    units: str = "1"
    text: str = ""


#: What is kept of each frame; `status` is the index of what is done.
COLUMNS = {
    "status": Column("uint8", OPEN, text="0 not done, 1 done, 2 failed"),
    "file": Column("int32", -1, text="file of the run, from 0"),
    "number": Column("int64", -1, text="frame in its file, from 0"),
    "step": Column("int64", -1, text="time step as the file says, -1 if it does not"),
    "n_atoms": Column("int64", 0, text="atoms of the frame"),
    "left_out": Column("int64", 0, text="of them sites without mass, which were not looked at"),
    "share": Column("float32", np.nan, ("frame", "class"), text="share of the atoms of each class"),
    "share_low": Column("float32", np.nan, ("frame", "class"), text="lower end of its 95 % credible interval"),
    "share_high": Column("float32", np.nan, ("frame", "class"), text="upper end of its 95 % credible interval"),
    "mutual_information": Column("float32", np.nan, units="bit", text="mean over the atoms"),
    "quantiles": Column("float32", np.nan, ("frame", "quantile"), "bit", "of the mutual information over the atoms"),
    "largest": Column("int64", 0, ("frame", "crystal"), text="atoms in the largest connected group of each class"),
    "probe": Column(
        "float32", np.nan, ("frame", "probe", "axis"), "angstrom", "where some atoms are, evenly over their order"
    ),
    "reach": Column(
        "float32", np.nan, units="angstrom", text="distance up to which atoms of a class are in one group"
    ),
    "seconds": Column("float32", np.nan, units="s", text="time that the frame took"),
    "reason": Column("uint8", 0, ("frame", "byte"), text="why a frame failed, UTF-8"),
}  # fmt: skip
#: The same of each atom.
AT_ATOMS = {
    "label": Column("int16", -1, ("frame", "atom"), text="class of the atom, -1 without a prediction, -2 rejected"),
    "doubt": Column("float16", np.nan, ("frame", "atom"), "bit", "mutual information"),
    "group": Column("int32", -1, ("frame", "atom"), text="connected group of one class, 0 the largest, -1 none"),
}  # fmt: skip
#: Where the boxes of a frame lie; what `KeptMap` has under these names, less "map_".
OF_MAPS = {
    "map_shape": Column("int32", 0, ("frame", "axis"), text="boxes along each axis, 0 without a map"),
    "map_origin": Column("float64", np.nan, ("frame", "axis"), "angstrom", "corner of cells centred on the boxes"),
    "map_domain": Column("float64", np.nan, ("frame", "edge", "axis"), "angstrom", "edges of all these cells together"),
    "map_periodic": Column("uint8", 0, ("frame", "axis"), text="1 along directions that wrap"),
}  # fmt: skip
#: Values of the boxes, the last axis fastest. What stands for nothing is never a value: so a lost piece shows.
AT_BOXES = {
    "map_index": Column("int16", -9, ("frame", "box", "rank"), text="most probable classes, -1 without a prediction"),
    "map_probability": Column("uint16", UNITS + 1, ("frame", "box", "rank"), f"1/{UNITS}", "their probabilities"),
    "map_mutual_information": Column("float16", -1, ("frame", "box"), "bit", "mutual information"),
    "map_reject_score": Column("float16", -1, ("frame", "box"), text="score that speaks against all classes"),
    "map_rejected": Column("uint8", 255, ("frame", "box"), text="1: none of the classes"),
    "map_n_atoms": Column("uint32", 2**32 - 1, ("frame", "box"), text="atoms in the box"),
    "map_resolution": Column("float16", -1, ("frame", "box"), "angstrom", "edge of the box that has answered"),
}  # fmt: skip
#: Arrays with pieces of their own for each frame.
LONG = {**AT_ATOMS, **AT_BOXES}
