"""Dumps of the stores and their way back: the programs that run in the backup image, beside the stores' own clients."""
