"""Images of a stack at their registries, asked with the stack's own pull Secrets: there, and for the nodes' platform.

Owns the checks and their limits of time. Does not own the requests (`altlas.images.registry`), nor images without a
registry (`altlas.preflight.images`). A registry that this machine cannot reach may still be reached by the nodes, so
that is `unknown`. No credential is printed.
"""

import base64
import json
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

from altlas.images.registry import Login, Place, place_of, platforms
from altlas.preflight.check import Check, State
from altlas.preflight.images import offered_images
from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from components.settings.image import ImageSettings, has_no_registry
from rendering.errors import ExitCode

Ask = Callable[[Place, str, Login | None], frozenset[str]]
"""Platforms of an image at its place, by tag or digest."""

Answer = frozenset[str] | BaseException
"""Platforms, or why there are none."""

_NOT_REACHED = (OSError, ValueError, HTTPException)
_AT_ONCE = 6
_ALL_SECONDS = 45
_ARCHITECTURES = '{range .items[*]}{.status.nodeInfo.operatingSystem}{"/"}{.status.nodeInfo.architecture}{"\\n"}{end}'
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_SECRETS = "rollout.imagePullSecrets"


@dataclass(frozen=True)
class Wanted:
    """An image that a stack pulls.

    Attributes:
        path: Path of its setting.
        image: The image.
        login: Credentials of its registry.
        lacks_secret: Whether a pull Secret of the stack does not exist.
    """

    path: str
    image: ImageSettings
    login: Login | None
    lacks_secret: bool = False

    @property
    def host(self) -> str:
        """Host of its registry."""
        return place_of(self.image.repository).host

    @property
    def check(self) -> str:
        """Name of its check."""
        return f"image {self.path}"


def registries(kubectl: Kubectl, platform: PlatformSettings, ask: Ask | None = None) -> Iterator[Check]:
    """Ask each registry for the stack's images; one line where all is well, else one for each image that is not.

    Args:
        kubectl: The cluster, for the pull Secrets and the platforms of its nodes.
        platform: Settings of the stack.
        ask: Asks a registry; by HTTP where it is None.
    """
    if offered_images(kubectl) is not None:
        yield Check(name="registries", state="ok", found="nodes pull from the cluster's own registry; none was asked")
        return
    logins: dict[str, Login] = {}
    wrong = []
    for name in platform.rollout.image_pull_secrets:
        secret = kubectl.find("secret", platform.namespace, name)
        try:
            logins |= _logins(secret) if secret else {}
        except (ValueError, LookupError, TypeError, AttributeError):
            secret = None
        wrong += [] if secret else [_no_secret(platform.namespace, name)]
    yield from wrong
    images = {image.reference: (path, image) for path, image in platform.images()}
    wanted = [
        Wanted(path, image, logins.get(_host(place_of(image.repository).host)), bool(wrong))
        for path, image in images.values()
        if not has_no_registry(image.repository)
    ]
    nodes = frozenset(kubectl.text("get", "nodes", f"--output=jsonpath={_ARCHITECTURES}").split())
    found = list(_checks(list(_answers(wanted, ask or platforms)), nodes))
    hosts = {each.host for each in wanted}
    if not found:
        shown = f"{len(wanted)} images at {len(hosts)} registries, for {', '.join(sorted(nodes))}"
        yield Check(name="registries", state="ok", found=shown)
    yield from found


def _no_secret(namespace: str, name: str) -> Check:
    return Check(
        name=f"pull Secret {name}",
        state="warning",
        found=f"{namespace} has no such Secret for registries, so private images can be neither pulled nor looked at",
        cure=f"kubectl --namespace {namespace} create secret docker-registry {name} --docker-server=... (and the user)",
    )


def _answers(wanted: Sequence[Wanted], ask: Ask) -> Iterator[tuple[Wanted, Answer]]:
    executor = ThreadPoolExecutor(_AT_ONCE)
    futures: dict[Future[frozenset[str]], Wanted] = {}
    try:
        for each in wanted:
            reference = each.image.digest or each.image.tag
            futures[executor.submit(ask, place_of(each.image.repository), reference, each.login)] = each
        done, _ = wait(futures, _ALL_SECONDS)
        for future, each in futures.items():
            if future not in done:
                yield each, TimeoutError(f"no answer after {_ALL_SECONDS} s for all images")
            else:
                yield each, future.exception() or future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _checks(answers: Sequence[tuple[Wanted, Answer]], nodes: frozenset[str]) -> Iterator[Check]:
    """Lines for what is wrong: one for each image, and one for each registry that was not reached."""
    unreached: dict[str, BaseException] = {}
    for each, answer in answers:
        if isinstance(answer, urllib.error.HTTPError):
            yield _refused(each, answer.code)
        elif isinstance(answer, _NOT_REACHED):
            unreached[each.host] = answer
        elif isinstance(answer, BaseException):
            raise answer
        elif missing := sorted(nodes - answer):
            yield _of_other_platforms(each, answer, nodes, missing)
    yield from (_unreached(host, error) for host, error in unreached.items())


def _unreached(host: str, error: BaseException) -> Check:
    found = f"not reached from here: {error}"
    return Check(name=f"registry {host}", state="unknown", found=found, cure="the nodes must reach it")


def _of_other_platforms(wanted: Wanted, answer: frozenset[str], nodes: frozenset[str], missing: Sequence[str]) -> Check:
    has = ", ".join(sorted(answer)) or "no platform"
    return Check(
        name=wanted.check,
        state="warning" if nodes & answer else "failed",
        found=f"{wanted.image.reference} is for {has}, and nodes are {', '.join(missing)}",
        cure="build it for the nodes (builds.platform), or name an image for their platform",
        code=ExitCode.BAD_INPUT,
    )


def _refused(wanted: Wanted, code: int) -> Check:
    found = f"{wanted.host} answers {code} for {wanted.image.reference}"
    state: State = "failed"
    if code == HTTPStatus.NOT_FOUND:
        cure = "push it, or correct repository and tag"
    elif code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        state, cure = "unknown", "try again later; the nodes ask the same registry"
    elif wanted.login:
        cure = f"a Secret of {_SECRETS} has credentials that it refuses: make it again, or correct the repository"
    else:
        # A Secret that is to come may hold them.
        state = "warning" if wanted.lacks_secret else "failed"
        cure = f"name a Secret with its credentials by {_SECRETS}, or correct the repository, which may not exist"
    return Check(name=wanted.check, state=state, found=found, cure=cure, code=ExitCode.BAD_INPUT)


def _logins(secret: Mapping[str, Any]) -> dict[str, Login]:
    """Credentials by registry, from a Secret of the type kubernetes.io/dockerconfigjson."""
    content = base64.b64decode((secret.get("data") or {})[".dockerconfigjson"])
    return {_host(host): _login(entry) for host, entry in json.loads(content)["auths"].items()}


def _login(entry: Mapping[str, str]) -> Login:
    if "username" in entry:
        return Login(entry["username"], entry.get("password", ""))
    user, _, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    return Login(user, password)


def _host(key: str) -> str:
    """Host of a key of a pull Secret, which may be an address; Docker Hub has several names."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return _DOCKER_HUB[0] if host in _DOCKER_HUB else host
