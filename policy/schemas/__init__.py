"""Schemas of the kinds that the program registers: `kinds.json`, its generator and the validation against it.

Belongs here: what a field of an object may be called and hold. Does not belong here: what an object must say to be safe
(`policy/rules`), and the comparison with other versions of Kubernetes (`policy/scan`).
"""
