"""Parts of a stack: settings, the workload every pod is made in, the five services and what they share."""
