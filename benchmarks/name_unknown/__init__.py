"""How well the crystal of noisy atoms is rebuilt and named."""
