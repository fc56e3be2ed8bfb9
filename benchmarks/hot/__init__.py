"""Crystals and melts at their melting point, frame by frame: what averaging brings, how often intervals are right."""
