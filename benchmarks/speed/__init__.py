"""Speed and memory of the core, as ratios measured in one run, and against another checkout of it."""
