"""What every command stands on: checkout, programs, cluster, engine."""
