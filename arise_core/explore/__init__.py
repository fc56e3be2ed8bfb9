"""What the network shows without labels: clusters, a plane where alike things lie near, what an unknown region is."""
