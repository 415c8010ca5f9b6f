"""Rules for images."""

import re
from collections.abc import Callable, Iterator

from policy.manifests import Manifest, kind_of, pod_of
from policy.operator_pods import IMAGE_FIELDS, described_container
from policy.rules.base import Finding, ObjectCheck, ObjectRule, Parameters

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_TAG = re.compile(r":(?P<tag>[^:/@]+)$")
_DEFAULT_REGISTRIES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


def split_image(image: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image; the last two may be empty."""
    name, _, digest = image.partition("@")
    tag = _TAG.search(name)
    return (name[: tag.start()], tag["tag"], digest) if tag else (name, "", digest)


def _without_default_registry(repository: str) -> str:
    for registry in _DEFAULT_REGISTRIES:
        repository = repository.removeprefix(registry)
    return repository


def _images(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every image of an object with its path: of its containers, or the one that it tells an operator to run."""
    pod = pod_of(manifest)
    for container in pod.containers if pod else ():
        yield f"{container.path}.image", str(container.spec.get("image") or "")
    described = described_container(manifest)
    if described:
        field = IMAGE_FIELDS[kind_of(manifest)]
        yield f"{described.path}.{field}", str(described.spec.get(field) or "")


def _each_image(problem_of: Callable[[str, Parameters], str | None]) -> ObjectCheck:
    def check(manifest: Manifest, parameters: Parameters) -> Iterator[Finding]:
        for path, image in _images(manifest):
            problem = problem_of(image, parameters)
            if problem:
                yield Finding(manifest, path, problem)

    return check


def _moving_tag(image: str, _: Parameters) -> str | None:
    tag = split_image(image)[1]
    if not tag:
        return f"is {image or 'empty'}, which has no tag"
    return f"is {image}, whose tag moves" if tag.lower() == "latest" else None


def _without_digest(image: str, parameters: Parameters) -> str | None:
    missing = parameters.require_digests and not _DIGEST.search(image)
    return f"is {image}, which has no sha256 digest" if missing else None


def _retired(image: str, parameters: Parameters) -> str | None:
    repository, tag, _ = split_image(image)
    name = f"{_without_default_registry(repository)}:{tag or 'latest'}"
    return f"is {image}, which is retired" if name in parameters.retired_images else None


def _foreign(image: str, parameters: Parameters) -> str | None:
    repository = _without_default_registry(split_image(image)[0])
    for allowed in parameters.allowed_repositories:
        if repository == allowed or (allowed.endswith("/") and repository.startswith(allowed)):
            return None
    return f"is {image}; allowed are {', '.join(parameters.allowed_repositories) or 'none'}"


RULES = (
    ObjectRule(
        id="image-tag-is-fixed",
        title="Every image has a tag, and it is not `latest`.",
        reason="What runs could change without an update and could not be rolled back.",
        fix="name the tag of a release",
        check=_each_image(_moving_tag),
    ),
    ObjectRule(
        id="image-has-a-digest",
        title="Every image is held to a digest where the stack requires it.",
        reason="A tag can be moved to other content by everyone who may write to the registry.",
        fix="add @sha256:... from the lock file of the release",
        check=_each_image(_without_digest),
    ),
    ObjectRule(
        id="image-is-not-retired",
        title="No retired image runs.",
        reason="The project no longer mends it.",
        fix="use the image that replaced it or a later release",
        check=_each_image(_retired),
    ),
    ObjectRule(
        id="image-repository-is-allowed",
        title="Images come from the repositories that the stack allows.",
        reason="Any other one is code that nobody here has reviewed.",
        fix="use an allowed repository, or add this one to the allowed repositories",
        check=_each_image(_foreign),
    ),
)
"""Rules about images."""
