"""Ideal crystals, for training and inference. ASE and spglib are called here and nowhere else in the core."""
