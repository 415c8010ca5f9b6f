"""Tests of the whole platform on real nodes; they share one that runs."""
