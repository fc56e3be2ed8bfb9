"""Training samples: what a model is trained on."""
