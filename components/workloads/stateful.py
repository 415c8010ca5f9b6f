"""How objects that hold data are registered: protected, and kept in the cluster when the program lets go of them."""

from collections.abc import Sequence

import pulumi


def stateful_options(
    name: str, tombstones: Sequence[str], options: pulumi.ResourceOptions | None = None
) -> pulumi.ResourceOptions:
    """Options of an object that holds data, on top of others.

    Args:
        name: Name of the object, as a tombstone would give it.
        tombstones: Names of the objects whose data the stack gives up.
        options: What else holds for the object, such as its parent.

    Returns:
        Options under which neither `pulumi destroy` nor a replacement can take the data, unless the stack says so.
    """
    kept = name not in tombstones
    own = pulumi.ResourceOptions(protect=kept, retain_on_delete=kept)
    return pulumi.ResourceOptions.merge(options or pulumi.ResourceOptions(), own)
