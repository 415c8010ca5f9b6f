"""Images around a release: what they are built with, which are locked, which are retired. Deploys nothing."""
