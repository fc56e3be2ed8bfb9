"""All cases by their names."""

from __future__ import annotations

from benchmarks.speed import borders, breakdown, engine, maps, passes, scaling
from benchmarks.speed.case import Case

WITHIN = "share within 3 standard errors (or the tolerance) of 10,000 passes"
CASES = {
    "against dscribe": Case(
        engine.against_dscribe, 1, {"ratio at 3 Å": "at least 100", "ratio at 1 Å": "at least 1000"}
    ),
    "open cube against dscribe": Case(
        engine.open_cube_against_dscribe, 1, {"ratio at 3 Å": "at least 100", "ratio at 1 Å": "at least 500"}
    ),
    "against quippy": Case(engine.against_quippy, 1, {"ratio at 3 Å": "at least 2000"}),
    "superalloy, descriptors": Case(
        engine.superalloy_descriptors, goals={"seconds": "at most 40", "peak GiB": "at most 4"}
    ),
    "superalloy, whole map": Case(maps.superalloy_map, goals={"seconds": "at most 15"}),
    "132,000 atoms": Case(engine.atoms_132_000),
    "1,000,000 atoms": Case(engine.atoms_1_000_000, goals={"peak GiB": "at most 8"}),
    "nanoparticle": Case(maps.nanoparticle, goals={"seconds": "at most 120"}),
    "surfaces": Case(maps.surfaces),
    "borders": Case(borders.borders, 1, {f"{name}: ratio": "at most 3" for name in borders.SHAPES}),
    "scaling": Case(scaling.scaling),
    "where the time goes": Case(breakdown.breakdown, 1),
    "against OVITO": Case(maps.against_ovito),
    "usual maps": Case(
        maps.usual_maps,
        goals={
            f"{name}: atoms a second, sharp": f"at least {n:,}" for name, n in maps.ATOMS_A_SECOND.items()
        },
    ),
    "1,000,000 atoms, sharp map": Case(
        maps.million_atoms, goals={"seconds": "at most 120", "peak GiB": "at most 4"}
    ),
    "demo": Case(maps.demo, goals={"seconds": "at most 20"}),
    "uncertainty": Case(passes.uncertainty, goals=passes.GOALS),
    "sharp uncertainty": Case(passes.sharp_uncertainty, goals=passes.SHARP_GOALS),
    "Monte Carlo": Case(passes.monte_carlo, goals={WITHIN: "at least 0.99"}),
    "import": Case(maps.importing, goals={"import arise_core, s": "at most 2"}),
}
