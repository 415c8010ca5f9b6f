"""The maker of pods: Deployments, StatefulSets, exporters, and pods inside custom resources."""
