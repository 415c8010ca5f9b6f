"""Target `node`: real nodes in namespaces of one Linux machine, under the control plane that `sim` has too.

Owns what it makes outside its folder: one bridge with its routes, one group in each cgroup hierarchy, and processes.
Everything else that Kubernetes' programs write lies in the folder, because each node has mounts of its own.
"""
