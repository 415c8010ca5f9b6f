"""The target `node`: real nodes on one Linux machine."""
