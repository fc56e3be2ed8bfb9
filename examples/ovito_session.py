"""The session file beside this script, to open in OVITO Pro: the shipped simulation with the modifier and its legend.

    python examples/ovito_session.py [--out examples/melting.ovito] [--quick]

What one should see when the extension is installed and the file is opened (*File → Load Session State*): a copper
crystal (green) between two fronts and its melt (pale), the pipeline entry "ARISE: identify crystal structures", and the
legend of the structures in the corner. The session finds the trajectory by its place relative to the session file.
Write it with Python 3.11 or 3.12: OVITO 3.17.2 crashes with 3.13 when it saves a modifier that is a Python class.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import ovito
from ovito.io import import_file
from ovito.modifiers import PythonModifier
from ovito.vis import PythonViewportOverlay

from ovito_arise import AriseLegend, AriseModifier
from ovito_arise.demo.run import TRAJECTORY

DEFAULT = Path(__file__).resolve().with_name("melting.ovito")
#: Python with which OVITO cannot save such sessions.
CRASHES = (3, 13)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--quick", action="store_true", help="a coarser map")
    given = parser.parse_args(arguments)
    if sys.version_info >= CRASHES:
        raise SystemExit("take Python 3.11 or 3.12: OVITO crashes here when it saves the session")
    pipeline = import_file(str(TRAJECTORY), multiple_frames=True)
    pipeline.add_to_scene()
    try:
        for viewport in ovito.scene.viewports:
            viewport.zoom_all()
        modifier = AriseModifier(types_to_elements={1: "Cu"}, stride=8.0 if given.quick else 3.0)
        pipeline.modifiers.append(
            PythonModifier(delegate=modifier, title="ARISE: identify crystal structures")
        )
        ovito.scene.viewports.active_vp.overlays.append(PythonViewportOverlay(delegate=AriseLegend()))
        given.out.parent.mkdir(parents=True, exist_ok=True)
        ovito.scene.save(str(given.out))
    finally:
        pipeline.remove_from_scene()
    print(f"{given.out}: {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
