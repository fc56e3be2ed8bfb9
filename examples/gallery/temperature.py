"""A crystal that is heated until it melts: shares and doubt over temperature."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from examples.emt_melting import FIRST, STEPS, TIMESTEP, crystal, heat
from examples.gallery.page import BLUE, ORANGE, Case, Page, percent

LAST, STEP = 2500.0, 100.0  # K
COLD = 1000.0  # K, far below any melting
BOX, STRIDE = 12.0, 4.0  # Å, those of the example


def make(page: Page) -> None:
    steps = np.array([FIRST, 3000.0]) if page.quick else np.arange(FIRST, LAST + 1, STEP)
    atoms = crystal(3 if page.quick else 5, FIRST)
    with TemporaryDirectory() as folder:
        rows = heat(atoms, steps, Path(folder), overwrite=True)[1:]  # without the start, which stands still
    temperature = np.array([row.temperature_K for row in rows])
    fcc = np.array([row.share("fcc") for row in rows])
    rejected = np.array([row.rejected for row in rows])
    bits = np.array([row.mutual_information_bit for row in rows])
    page.say(
        f"{len(atoms)} atoms of copper (EMT) at constant pressure, heated in steps of {steps[1] - steps[0]:g} K, "
        f"{STEPS * TIMESTEP / 1000:g} ps each, until nine tenths are no crystal, by the functions of "
        "[`examples/emt_melting.py`](../../examples/emt_melting.py). There is no surface, so the crystal is "
        "superheated before it melts."
    )
    solid = rejected < 0.1
    cold = temperature < COLD
    page.row(
        "fcc while it is cold", "(an ordered crystal is its class, without doubt)",
        f"fcc in at least {percent(float(fcc[cold].min()))} of the atoms below {COLD:g} K, at most "
        f"{bits[cold].max():.3f} bit",
        fcc[cold].min() > 0.99,
    )  # fmt: skip
    page.row(
        "fcc in the hot crystal", "(classes withstand displaced atoms)",
        f"at {temperature[solid].max():.0f} K, the last step with less than a tenth rejected, fcc has "
        f"{percent(float(fcc[solid][-1]))}", fcc[solid][-1] > 0.9, "other classes take part of the hot crystal",
    )  # fmt: skip
    page.row(
        "the melt is no class", "(the paper's model has no rejection)",
        f"{percent(float(rejected[-1]))} rejected at the end, {temperature[-1]:.0f} K", rejected[-1] > 0.9,
        "the run ended before all was molten",
    )  # fmt: skip
    if solid.sum() > 3:
        rank = float(spearmanr(temperature[solid], bits[solid]).statistic)
        page.row(
            "doubt as an order parameter", "mutual information is a measure of crystalline order (Figure 4c)",
            f"while it is a crystal, its rank correlation with temperature is {rank:.2f}, from {bits[solid][0]:.3f} to "
            f"{bits[solid][-1]:.3f} bit", rank > 0.8,
            "the model was trained on thermal motion, which raises no doubt by itself",
        )  # fmt: skip
    page.picture(
        "shares", draw(temperature, fcc, rejected, bits), "Shares of the atoms, and mean mutual information."
    )
    page.keep(
        temperature=temperature.round(1).tolist(), fcc=fcc.round(4).tolist(), rejected=rejected.round(4).tolist(),
        bits=bits.round(4).tolist(),
    )  # fmt: skip


def draw(temperature: np.ndarray, fcc: np.ndarray, rejected: np.ndarray, bits: np.ndarray) -> Figure:
    """Shares above, doubt below, in the order of the run."""
    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.plot(temperature, fcc, "o-", ms=4, color=BLUE, label="fcc")
    above.plot(temperature, rejected, "s--", ms=4, color="0.4", label="rejected")
    above.plot(temperature, 1 - fcc - rejected, "^:", ms=4, color=ORANGE, label="other classes")
    above.set(ylabel="share of the atoms", ylim=(-0.03, 1.03))
    above.legend(frameon=False)
    below.plot(temperature, bits, "o-", ms=4, color=ORANGE)
    below.set(xlabel="temperature (K)", ylabel="mutual information (bit)", ylim=(0, None))
    return figure


CASE = Case(
    "temperature",
    "A crystal that is heated",
    "No figure; what Figure 4c says of doubt and order",
    f"Boxes of {BOX:g} Å and a stride of {STRIDE:g} Å, those of the example: the cell is hardly larger than 16 Å.",
    make,
)
