"""Who may talk to whom: the service graph and what is derived from it."""
