"""What people feed it, what strangers hand it, and accidents: kinds of faults, each through every door."""
