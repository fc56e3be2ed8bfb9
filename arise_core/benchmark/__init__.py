"""Benchmarks of models against published results and other methods. No part of inference."""
