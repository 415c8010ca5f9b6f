"""What a stack has once: namespace, admission, mesh, ingress, images."""
