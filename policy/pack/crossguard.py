"""Offers the rules to Pulumi as the policies of a CrossGuard pack, one policy for each rule.

Needs pulumi_policy, which only the pack's own process and its tests import.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from components.kubernetes.object import DATA_ANNOTATION
from components.stack.loading import read_platform
from policy.manifests import UNKNOWN, Manifest, ManifestSet, kind_of, name_of, namespace_of
from policy.pack.parameters import parameters_of
from policy.paths import ABSENT, join, leaves, read, write
from policy.rules import RULES, ObjectRule, Parameters, Rule, SetRule

_ROOT = Path(__file__).resolve().parents[2]
_KUBERNETES = "kubernetes:"
Declared = dict[str, Manifest]
"""Options of each object as the program gives them, by URN.

The engine shows a rule about all objects what the cluster has. A running stack's objects have more than the program
says, such as the replicas that an autoscaler has chosen; those are nobody's mistake.
"""

_DATA_MARK = join("metadata.annotations", DATA_ANNOTATION)
_LISTS = ("allowed_repositories", "token_service_accounts", "exposed_services", "secret_readers", "given_up", "single")
_SCHEMA = PolicyConfigSchema(
    properties={
        "require_digests": {"type": "boolean", "default": False},
        **{name: {"type": "array", "items": {"type": "string"}} for name in _LISTS},
    }
)


def policies() -> list[Policy]:
    """All rules as policies that refuse an update."""
    declared: Declared = {}
    return [
        _resource_policy(rule, declared) if isinstance(rule, ObjectRule) else _stack_policy(rule, declared)
        for rule in RULES
    ]


def parameters_from(config: Mapping[str, Any], stack: str | None) -> Parameters:
    """Names that a policy's configuration (`--policy-pack-config`) allows."""
    known = {field.name: field for field in fields(Parameters)}
    chosen: dict[str, Any] = {}
    for key, value in config.items():
        if key in _LISTS and value is not None:
            chosen[key] = tuple(value) if key == "allowed_repositories" else frozenset(value)
        elif key in known and value is not None:
            chosen[key] = value
    return replace(_settings_parameters(stack), **chosen)


@lru_cache
def _settings_parameters(stack: str | None) -> Parameters:
    """Names that the stack file allows. The engine tells a Python pack neither the stack nor its configuration."""
    path = _ROOT / f"Pulumi.{stack}.yaml"
    return parameters_of(stack, read_platform(path)) if stack and path.is_file() else Parameters(stack=stack)


def stack_of(urn: str) -> str | None:
    """Name of the stack in a resource's URN, such as `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    head, separator, _ = urn.partition("::")
    return head.removeprefix("urn:pulumi:") if separator else None


def plain(value: Any) -> Any:
    """Copy what Pulumi hands over into plain data: whole numbers as integers, unknown values as `UNKNOWN`."""
    if isinstance(value, Mapping):
        return {key: _known(value, key) for key in value if not str(key).startswith("__")}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(value, index) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _manifest(properties: Mapping[str, Any], *, protected: bool) -> Manifest:
    """The object, without the mark of a protected one where Pulumi does not protect it."""
    manifest: Manifest = plain(properties)
    if not protected and read(manifest, _DATA_MARK, ABSENT) is not ABSENT:
        write(manifest, _DATA_MARK, ABSENT)
    return manifest


def _known(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def _resource_policy(rule: ObjectRule, declared: Declared) -> Policy:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        if args.resource_type.startswith(_KUBERNETES):
            parameters = parameters_from(args.get_config(), stack_of(args.urn))
            declared[args.urn] = _manifest(args.props, protected=args.opts.protect)
            _report(rule, [declared[args.urn]], parameters, report_violation)

    return ResourceValidationPolicy(validate=validate, **_description(rule))


def _stack_policy(rule: SetRule, declared: Declared) -> Policy:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        of_kubernetes = [resource for resource in args.resources if resource.resource_type.startswith(_KUBERNETES)]
        if of_kubernetes:
            parameters = parameters_from(args.get_config(), stack_of(of_kubernetes[0].urn))
            objects = [
                declared.get(resource.urn) or _manifest(resource.props, protected=resource.opts.protect)
                for resource in of_kubernetes
            ]
            _report(rule, objects, parameters, report_violation)

    return StackValidationPolicy(validate=validate, **_description(rule))


def _description(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.id,
        "description": f"{rule.title} {rule.reason}",
        "enforcement_level": EnforcementLevel.MANDATORY,
        "config_schema": _SCHEMA,
    }


def _report(rule: Rule, manifests: Iterable[Manifest], parameters: Parameters, report: ReportViolation) -> None:
    # Resources such as a provider are in the kubernetes package, but are no objects of the cluster.
    objects = ManifestSet([manifest for manifest in manifests if manifest.get("kind")])
    try:
        found = list(rule.violations(objects, parameters))
    except (AttributeError, IndexError, TypeError, ValueError):
        unknown = _unknown_places(objects)
        if not unknown:
            raise
        # The SDK then says that the rule waits for the update, which judges the values themselves.
        raise UnknownValueError(UNKNOWN_STRING_VALUE, [" ".join(min(unknown))]) from None
    # Hardly a rule finds anything, so only then is every value looked at.
    unknown = _unknown_places(objects) if found else set()
    for violation in found:
        if (violation.kind, violation.namespace, violation.name, violation.path) not in unknown:
            report(str(violation), None)


def _unknown_places(objects: ManifestSet) -> set[tuple[str, str, str, str]]:
    """Kind, namespace and name of an object, and path in it, of every value that only the update will know."""
    return {
        (kind_of(manifest), namespace_of(manifest), name_of(manifest), path)
        for manifest in objects.manifests
        for path, value in leaves(manifest)
        if value == UNKNOWN
    }
