"""What runs, and why something does not."""
