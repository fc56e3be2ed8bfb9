"""What a structure is, as a whole and box by box."""
