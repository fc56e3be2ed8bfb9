"""Molecular dynamics frames of many materials, and how well a model does on them."""
