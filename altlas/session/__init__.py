"""Foundations of every command: checkout, programs, cluster, engine, output. Imports nothing else of `altlas`."""
