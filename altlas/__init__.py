"""Steps around an update: rendering, comparing, running and watching. The command `altlas`."""
