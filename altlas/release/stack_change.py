"""Change from one stack to another: its steps, and what they mean for the cluster.

Owns the comparison of two sides as a whole. Does not own how it is shown (`text`, `markdown`, `document`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from altlas.release.changes import object_steps
from altlas.release.fingerprints import RENDERED_KEY, concealed
from altlas.release.outages import Outage, outages
from altlas.release.settings_diff import compare, leaves
from altlas.release.sides import Recording, Side, recording
from altlas.release.steps import ChangeSetting, ObjectStep, Step
from altlas.release.undo import holds_data
from altlas.update.first_steps import steps_between
from components.kubernetes.load import LoadAtScales, stack_load
from components.settings import PlatformSettings
from components.stack.loading import parse_platform, read_platform
from rendering.errors import CommandError, ExitCode
from rendering.recorder import Registration, record

_SECRETS_NOTE = (
    "Values of secrets are placeholders here: a fingerprint shows where another secret, or text around one, is used"
)
_PROGRAM_NOTE = "Effects of a service's own migrations and of operators are not known here"


@dataclass(frozen=True)
class StackChange:
    """Change from one stack to another.

    Attributes:
        before: Name of the stack or file that is compared.
        after: Name of the one that it is compared with.
        identity: Settings of class identity that differ and stay with their stack.
        settings: Settings that change, by class.
        objects: Steps of objects.
        loads: Load of all objects on a cluster, before and after.
        outages: Workloads that restart.
        data: Steps of objects that hold data.
        notes: Limits of this comparison.
        objects_before: Manifests of all Kubernetes objects as they are.
        objects_after: Manifests of all Kubernetes objects as they will be.
        first: Steps that `altlas up` takes before all others, because numbers of servers of stores change.
    """

    before: str
    after: str
    identity: tuple[ChangeSetting, ...]
    settings: tuple[ChangeSetting, ...]
    objects: tuple[ObjectStep, ...]
    loads: tuple[LoadAtScales, LoadAtScales]
    outages: tuple[Outage, ...]
    data: tuple[ObjectStep, ...]
    notes: tuple[str, ...]
    objects_before: tuple[Mapping[str, Any], ...] = ()
    objects_after: tuple[Mapping[str, Any], ...] = ()
    first: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps: settings, then objects."""
        return (*self.settings, *self.objects)


def stack_change(before: Side, after: Side, recorded: Recording) -> StackChange:
    """Compare two sides.

    Fields of class identity stay with their stack: the objects are those of `before` with all other settings of
    `after`. Two files of one stack are compared as they are.

    Args:
        before: The stack as it is.
        after: The stack whose settings it takes.
        recorded: Objects of `before`.

    Raises:
        SettingsError: A stack file is not usable.
        CommandError: A program refuses the settings.
    """
    old, new = read_platform(before.file), read_platform(after.file)
    stays = before.stack != after.stack
    target = with_identity(new, old) if stays else new
    objects_after = _registrations(Side(after.name, before.stack, after.file, after.root), target)
    objects_before = [Registration(**each) for each in recorded.documents()]
    settings = compare(old, new)
    return change_of(
        (before.name, after.name),
        tuple(each for each in settings if stays and each.decision == "identity"),
        tuple(each for each in settings if not stays or each.decision != "identity"),
        (objects_before, objects_after),
        tuple(each.says for each in steps_between(objects_before, target)),
    )


def change_of(
    names: tuple[str, str],
    identity: tuple[ChangeSetting, ...],
    settings: tuple[ChangeSetting, ...],
    sides: tuple[list[Registration], list[Registration]],
    first: tuple[str, ...] = (),
) -> StackChange:
    """The change between two sets of recorded objects.

    Args:
        names: Names of the two sides.
        identity: Settings that differ and stay with their stack.
        settings: Settings that change.
        sides: Registrations before and after.
        first: Steps before all others, for people.
    """
    steps = object_steps(*sides, lambda manifest: concealed(manifest, RENDERED_KEY))
    old, new = (_manifests(each) for each in sides)
    data = tuple(
        step for step in steps if any(holds_data(side[key]) for side in (old, new) if (key := _key(step)) in side)
    )
    whole = tuple(old.values()), tuple(new.values())
    loads = stack_load(whole[0]), stack_load(whole[1])
    notes = (_SECRETS_NOTE, _PROGRAM_NOTE)
    return StackChange(
        *names, identity, settings, steps, loads, outages(steps, old, loads[0]), data, notes, *whole, first
    )


def with_identity(settings: PlatformSettings, identity: PlatformSettings) -> PlatformSettings:
    """The settings with the fields of class identity of other ones, where both have them.

    Raises:
        SettingsError: The two do not fit together.
    """
    document = settings.model_dump(mode="json", by_alias=True)
    own = dict(leaves(settings))
    for path, leaf in leaves(identity):
        if leaf.field_class == "identity" and path in own:
            *parents, last = path.split(".")
            block = document
            for key in parents:
                block = block[key]
            block[last] = leaf.value
    return parse_platform(document)


def _registrations(side: Side, platform: PlatformSettings) -> list[Registration]:
    if side.is_own_program:
        try:
            return record(side.stack, platform).registrations
        except pulumi.RunError as error:
            raise CommandError(f"{side.name} cannot be rendered: {error}", ExitCode.BAD_INPUT) from None
    with recording(side, platform.model_dump(mode="json", by_alias=True)) as other:
        return [Registration(**each) for each in other.documents()]


def _key(step: ObjectStep) -> tuple[str, str]:
    return step.object.kind, step.object.logical


def _manifests(registrations: Iterable[Registration]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {
        (each.type.rpartition(":")[2], each.name): each.inputs
        for each in registrations
        if each.type.startswith("kubernetes:")
    }
