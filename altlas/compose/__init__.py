"""The platform as a Compose file, for one machine without a cluster."""
