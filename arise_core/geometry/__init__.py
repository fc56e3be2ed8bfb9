"""Matter in space: structures, cells, neighbours, the material and its support. Knows no descriptor."""
