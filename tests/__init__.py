"""Tests: unit, stacks, policy and release without a cluster; e2e and cluster on the simulated one."""
