"""What runs the work: threads, worker processes, compiled loops, files."""
