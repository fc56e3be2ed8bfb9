"""`arise demo`: the main job from one end to the other on a simulation that comes along."""

from pathlib import Path

#: The simulation that comes along: a copper crystal that grows into its melt, LAMMPS dump with numeric types.
TRAJECTORY = Path(__file__).parent / "data" / "cu-melting.dump.gz"

__all__ = ["TRAJECTORY"]
