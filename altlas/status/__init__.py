"""State of a running stack: workloads, custom resources, monitoring, and reasons of pods that are not ready."""
