"""An update of a stack and the checks before it."""
