"""Model files, their cards, and predictions with uncertainty."""
