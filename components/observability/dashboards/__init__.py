"""Grafana and its dashboards, made from what a stack declares."""
