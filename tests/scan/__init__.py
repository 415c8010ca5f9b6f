"""Tests of the scanners: each finds what is planted, and nothing in what is good."""
