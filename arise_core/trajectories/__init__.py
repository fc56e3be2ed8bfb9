"""Results of trajectories: their store, read, joined, drawn, and what happened in them."""
