"""Windows of other shapes than boxes: spheres against cubes of as many atoms; tubes, wires and sheets."""
