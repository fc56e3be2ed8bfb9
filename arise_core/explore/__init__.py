"""What the network shows without labels: clusters, a plane where alike things lie together, what an unknown region is."""
