"""What a network's representations tell beyond its classes: clusters, maps, and what the unknown is."""
