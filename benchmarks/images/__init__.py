"""Images of layers and crystals: how well columns are found and layers recognised. `python -m benchmarks.images`."""
