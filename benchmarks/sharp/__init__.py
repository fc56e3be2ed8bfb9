"""How sharp maps are: fronts, small crystals, thin grains, bands and precipitates, scored for any method."""
