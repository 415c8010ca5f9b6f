"""Pods held against the documented facts of their images: command, working directory and user.

Owns the judgement. Does not own the facts (cluster.node.images.published): nothing is pulled, so a fact is as good as
its source.
"""

import posixpath
from collections.abc import Iterator, Mapping

from cluster.node.images import full_name
from cluster.node.images.published import PUBLISHED
from cluster.node.images.recipe import PublishedImage
from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of
from policy.operator_pods import IMAGE_FIELDS


def images(manifests: list[Manifest]) -> set[str]:
    """Every image that the pods of a stack ask for, those of operators included, with host and path."""
    named = {container.spec["image"] for pod in ManifestSet(manifests).pods for container in pod.containers}
    for manifest in manifests:
        if field := IMAGE_FIELDS.get(kind_of(manifest)):
            spec = manifest["spec"]
            named |= {spec[field]}
            named |= {each["image"] for role in ("containers", "initContainers") for each in spec.get(role) or ()}
    return {full_name(image.partition("@")[0]) for image in named}


def problems(manifests: list[Manifest], published: Mapping[str, PublishedImage] = PUBLISHED) -> list[str]:
    """Sentences about containers that cannot start as their images are documented."""
    return [
        f"{kind_of(pod.owner)} {name_of(pod.owner)}, container {container.spec['name']}: {problem}"
        for pod in ManifestSet(manifests).pods
        for container in pod.containers
        for problem in _of_container(container.spec, pod, published)
    ]


def _of_container(container: Manifest, pod: Pod, published: Mapping[str, PublishedImage]) -> Iterator[str]:
    repository = full_name(container["image"].partition("@")[0]).rpartition(":")[0]
    facts = published.get(repository)
    if facts is None:
        yield f"no facts of the image {repository} are recorded"
        return
    own = not container.get("command")
    directory = container.get("workingDir") or facts.working_directory
    command = [*(facts.entry_point if own else container["command"])]
    command += container.get("args") or (facts.command if own else ())
    if own and facts.is_relative and directory != facts.working_directory:
        text = " ".join(command)
        yield f"`{text}` is found in {facts.working_directory} only, and the container starts in {directory}"
    elif not own and not _finds(command[0], directory, _path(container, facts), facts):
        yield f"{repository} is not known to have the program {command[0]}"
    user = _user(container, pod, facts)
    if not user.partition(":")[0].isdecimal() or user.partition(":")[0] == "0":
        yield f"user {user or 'root'} of {repository}: a node refuses root and names"


def _finds(program: str, directory: str, path: str, facts: PublishedImage) -> bool:
    if "/" in program:
        return posixpath.normpath(posixpath.join(directory, program)) in facts.programs
    return any(posixpath.join(folder, program) in facts.programs for folder in path.split(":"))


def _path(container: Manifest, facts: PublishedImage) -> str:
    found = [each.get("value", "") for each in container.get("env") or () if each["name"] == "PATH"]
    return str(found[0]) if found else facts.path


def _user(container: Manifest, pod: Pod, facts: PublishedImage) -> str:
    for context in (container.get("securityContext") or {}, pod.spec.get("securityContext") or {}):
        if context.get("runAsUser") is not None:
            return str(context["runAsUser"])
    return facts.user
