"""Images of a node without any registry on the internet: put together from packages, pushed into a local registry.

Each image stands for a published one: the same names, user, entry point and paths, with what can be had inside.
"""

from cluster.node.images.pushing import Pushed, chosen, push, short_name
from cluster.node.images.recipe import MissingImage, NodeImage, full_name
from cluster.node.images.table import IMAGES, MISSING

__all__ = [
    "IMAGES",
    "MISSING",
    "MissingImage",
    "NodeImage",
    "Pushed",
    "chosen",
    "full_name",
    "push",
    "short_name",
]
