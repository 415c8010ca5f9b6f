"""Allowed traffic: the service graph and what is derived from it."""
