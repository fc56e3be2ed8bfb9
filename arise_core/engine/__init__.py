"""The descriptors of all boxes of a grid at once."""
