"""Faults that are injected while a stack changes, and what is lost by them."""
