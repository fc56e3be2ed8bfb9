"""What the network's representations show without labels: clusters, and a plane where alike things lie together."""
