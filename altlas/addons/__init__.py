"""Operators and CRDs of a cluster: install, upgrade, compare with the pinned versions."""
