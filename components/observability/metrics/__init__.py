"""Metrics: Prometheus, Alertmanager, exporters and monitors."""
