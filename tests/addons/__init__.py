"""Tests of what a cluster has once: operators and definitions."""
