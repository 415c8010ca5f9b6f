"""Pictures of the platform, drawn from the rendered objects."""
