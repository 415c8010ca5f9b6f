"""Admission rules of a stack's namespace, beyond the Pod Security Standard that the API server enforces there."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self

import pulumi

from components.kubernetes import naming
from components.kubernetes.object import KubernetesObject, Manifest
from components.settings import PlatformSettings
from components.settings.admission import AdmissionSettings
from components.settings.image import RETIRED_IMAGES
from components.settings.operator_images import operator_repositories

_API_VERSION = "admissionregistration.k8s.io/v1"
_OPERATIONS = ["CREATE", "UPDATE"]
_WORKLOADS = (
    ("", ["pods", "pods/ephemeralcontainers"]),
    ("apps", ["deployments", "statefulsets", "daemonsets"]),
    ("batch", ["jobs", "cronjobs"]),
)
_DEFAULT_REGISTRY = r"((index\.|registry-1\.)?docker\.io/)?(library/)?"
_TAG_AND_DIGEST = r"(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?"
_REQUIRED_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/part-of")

_VARIABLES = {
    "template": (
        "object.kind == 'Pod' ? object : "
        "object.kind == 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template"
    ),
    "images": (
        "(variables.template.spec.containers + variables.template.spec.?initContainers.orValue([]) + "
        "variables.template.spec.?ephemeralContainers.orValue([])).map(container, container.image) + "
        # Programs in a volume that is an image run like those of a container; the restricted profile lets them in.
        "variables.template.spec.?volumes.orValue([]).filter(volume, has(volume.image))"
        ".map(volume, volume.image.?reference.orValue(''))"
    ),
    "labels": "variables.template.?metadata.?labels.orValue({})",
}


@dataclass(frozen=True, kw_only=True)
class AdmissionArgs:
    """Admission rules of a stack.

    Attributes:
        settings: Which rules there are.
        namespace: Name of the namespace in which they hold.
        repositories: Repositories of the stack's own images.
        of_operators: Repositories of images that operators put into pods, by tags that are theirs to choose.
    """

    settings: AdmissionSettings
    namespace: str
    repositories: Collection[str]
    of_operators: Collection[str] = ()

    @classmethod
    def of(cls, platform: PlatformSettings) -> Self:
        """Take from the settings of a stack what its admission rules need."""
        repositories = frozenset(image.repository for _, image in platform.images())
        return cls(
            settings=platform.admission,
            namespace=platform.namespace,
            repositories=repositories,
            of_operators=operator_repositories(platform),
        )


def policy_name(stack: str) -> str:
    """Name of the policy and of its binding. They lie in no namespace, so it carries the stack."""
    return f"{naming.PLATFORM}-{stack.lower().replace('_', '-')}-workloads"


def policy(args: AdmissionArgs, stack: str) -> Manifest:
    """Rules about the images and labels of everything that makes pods."""
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(stack),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [group], "apiVersions": ["v1"], "resources": resources, "operations": _OPERATIONS}
                    for group, resources in _WORKLOADS
                ]
            },
            # What is there already may end, and its controllers may keep account of it, whatever the rules are now.
            "matchConditions": [
                {"name": "new-or-changed", "expression": "oldObject == null || object.spec != oldObject.spec"}
            ],
            "variables": [{"name": name, "expression": expression} for name, expression in _VARIABLES.items()],
            "validations": _validations(args),
        },
    }


def binding(args: AdmissionArgs, stack: str) -> Manifest:
    """Puts the policy into force in the stack's namespace, and nowhere else."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": args.namespace}}
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(stack),
        "spec": {
            "policyName": policy_name(stack),
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }


def _metadata(stack: str) -> dict[str, Any]:
    return {"name": policy_name(stack), "labels": naming.labels("platform", "admission")}


_FIXED = (
    # A digest alone is fixed, too; webhooks that look digests up (Kyverno, GKE) leave the tag out.
    r"(image.matches('^[^@]*:[^/@]+(@|$)') || image.matches('^[^@]+@sha256:[0-9a-f]{64}$')) "
    r"&& !image.matches('(?i):latest(@|$)')"
)


def _validations(args: AdmissionArgs) -> list[dict[str, str]]:
    own = {_without_registry(repository) for repository in args.repositories}
    retired = "|".join(re.escape(image) for image in sorted(RETIRED_IMAGES))
    rules = [
        ("retired-image", f"!image.matches({_regex(f'^{_DEFAULT_REGISTRY}({retired})(@|$)')})", "is retired"),
        ("fixed-tag", _FIXED, "has no fixed tag"),
        (
            "known-repository",
            _is_from(own | {*args.of_operators}),
            "is from no repository of the platform",
        ),
    ]
    if args.settings.require_digests:
        # An operator names its images by tag, and no other rule can hold them to a digest.
        exempt = f" || {_is_from(args.of_operators)}" if args.of_operators else ""
        rules.append(("digest", f"image.matches('@sha256:[0-9a-f]{{64}}$'){exempt}", "is not held to a digest"))
    return [*(_about_images(*rule) for rule in rules), _about_labels()]


def _is_from(repositories: Iterable[str]) -> str:
    alternatives = "|".join(re.escape(each) for each in sorted(repositories))
    return f"image.matches({_regex(f'^{_DEFAULT_REGISTRY}({alternatives}){_TAG_AND_DIGEST}$')})"


def _about_images(rule: str, holds: str, problem: str) -> dict[str, str]:
    wrong = f"variables.images.filter(image, !({holds}))"
    return {
        "expression": f"variables.images.all(image, {holds})",
        "message": f"{rule}: an image {problem}",
        "messageExpression": f"'{rule}: ' + {wrong}.join(', ') + ' {problem}'",
    }


def _about_labels() -> dict[str, str]:
    names = ", ".join(f"'{label}'" for label in _REQUIRED_LABELS)
    return {
        "expression": f"[{names}].all(label, label in variables.labels)",
        "message": f"required-labels: the pods need the labels {' and '.join(_REQUIRED_LABELS)}",
    }


def _without_registry(repository: str) -> str:
    return re.sub(f"^{_DEFAULT_REGISTRY}", "", repository)


def _regex(pattern: str) -> str:
    """A regular expression as a raw string of the Common Expression Language."""
    return f"r'{pattern}'"


class PlatformAdmission(pulumi.ComponentResource):
    """A ValidatingAdmissionPolicy and its binding; nothing where the stack does without.

    Owns the platform's own rules. Does not own the pod security standard, which is the namespace's.
    """

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:Admission", name, None, opts)
        if args.settings.enabled:
            stack = pulumi.get_stack()
            rules = KubernetesObject(f"{name}-policy", policy(args, stack), pulumi.ResourceOptions(parent=self))
            options = pulumi.ResourceOptions(parent=self, depends_on=[rules])
            KubernetesObject(f"{name}-binding", binding(args, stack), options)
        self.register_outputs({})
