"""PostgreSQL by CloudNativePG."""
