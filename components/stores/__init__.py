"""The stores that a stack runs itself."""
