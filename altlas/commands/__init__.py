"""The commands of `altlas`, one file a group."""
