"""The real engine against a real API server."""
