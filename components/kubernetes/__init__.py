"""Kubernetes objects for the engine: registration, names, labels, quantities."""
