"""Journal of an update: each step of the engine is appended to a file, and the state is written once, at the end.

Pulumi's file backend writes the whole state twice for each object. Its service backend appends an entry instead; the
server of this package speaks the part of that service's interface that the unchanged CLI needs, on loopback, while one
command runs. Owns the journal, its replay and the state file. Does not own what runs: `altlas.session.engine` does.
"""
