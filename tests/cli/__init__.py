"""Fewer passes and larger strides than by default: the commands are tested, not the network."""

FAST = ["--passes", "10"]
COARSE = [*FAST, "--stride", "6", "--box-size", "10"]
