"""What a model says of crystals that are none of its classes."""
