"""Tests of what is never allowed."""
