"""Scaling and canaries in motion: real controllers on a real API server, with figures of usage that the tests set."""
