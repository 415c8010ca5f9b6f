"""Tests on real nodes: root on Linux, see cluster/README.md."""
