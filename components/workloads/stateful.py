"""Options of objects that hold data: protected, and kept in the cluster when the program drops them."""

from collections.abc import Sequence

import pulumi


def stateful_options(
    name: str, released_objects: Sequence[str], options: pulumi.ResourceOptions | None = None
) -> pulumi.ResourceOptions:
    """Options of an object that holds data, on top of others.

    Args:
        name: Name of the object, as the setting `tombstones` gives it.
        released_objects: Names of the objects whose data the stack gives up.
        options: Further options of the object, such as its parent.

    Returns:
        Options under which neither `pulumi destroy` nor a replacement can take the data, unless the stack says so.
    """
    kept = name not in released_objects
    own = pulumi.ResourceOptions(protect=kept, retain_on_delete=kept)
    return pulumi.ResourceOptions.merge(options or pulumi.ResourceOptions(), own)
