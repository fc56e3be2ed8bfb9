"""Time and memory of clusters and planes of many boxes."""
