"""Backups on request, restores and restore tests of the stores."""
