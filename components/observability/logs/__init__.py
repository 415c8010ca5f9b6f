"""Log collection and storage: Alloy and Loki."""
