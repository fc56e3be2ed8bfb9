"""Trajectories: every frame recognised once, results in one store, by any number of workers, interrupted or not."""
