"""Whether suggested samples teach a model more than random ones."""
