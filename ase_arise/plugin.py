"""What ASE finds through its entry-point group `ase.plugins`: `ase info --plugins` lists the calculator.

ASE 3.29 has this group and calls it experimental. Older versions do not look here; where a later one moves its classes,
nothing is listed and nothing breaks.
"""

from __future__ import annotations

from typing import Any

import arise_core


def _plugins() -> set[Any]:
    try:
        from ase._4.plugins.plugin import CalculatorPlugin
    except ImportError:
        return set()
    # ASE takes the first word of the module for the name of the distribution: `arise-core`
    return {
        CalculatorPlugin(
            "arise",
            citation="Leitherer, Ziletti, Ghiringhelli, Nature Communications 12, 6234 (2021)",
            module=arise_core,
            implementation="ase_arise.calculator.AriseCalculator",
        )
    }


__ase_plugins__ = _plugins()
