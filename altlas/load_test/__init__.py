"""Load tests by a Job of the cluster."""
