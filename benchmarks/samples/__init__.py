"""What a model says of samples as users have them: alloyed, doped, covered, strained."""
