"""A model of who can open connections to whom, evaluated from NetworkPolicies as Kubernetes defines them."""
