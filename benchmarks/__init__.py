"""Benchmarks of the program, as ratios to other tools in one run on one machine."""
