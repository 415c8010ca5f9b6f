"""Canaries in motion: a real API server, Flagger's real controller and a real Prometheus, with figures of the tests."""
