"""Reads a stack's configuration: settings, secrets, image lock."""
