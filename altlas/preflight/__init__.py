"""Checks of a cluster before anything is written to it: reads metadata only, and says what to do about each fault."""
