"""The release of a stack: one list of typed steps, and everything that shows it or walks it."""
