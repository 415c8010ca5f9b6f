"""Redis, alone or with failover behind proxies."""
