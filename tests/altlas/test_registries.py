"""Images of a stack at their registries: what is there, what is refused and why, and whom credentials are given to."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from altlas.images.registry import Login, place_of, platforms
from altlas.preflight import registries
from altlas.preflight.check import Check
from tests.support.documents import alpha_settings
from tests.support.recorded_cluster import Recorded
from tests.support.registry import CONFIGURATION, INDEX, SINGLE, TOKEN, Registry, serving

PATH = "team/api-gateway"
WORD = "pa:ss w%rd"


def secret(host: str, user: str = "ada", password: str = WORD, *, joined: bool = True) -> dict[str, Any]:
    """A pull Secret, with the credentials in one field or in two."""
    auth = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    entry = auth if joined else {"username": user, "password": password}
    content = json.dumps({"auths": {f"https://{host}/v1/": entry}})
    return {"data": {".dockerconfigjson": base64.b64encode(content.encode()).decode()}}


def look(
    registry: Registry, *, pull_secret: dict[str, Any] | None = None, named: bool = False, nodes: str = "linux/amd64"
) -> list[Check]:
    """Checks of alpha's api-gateway at a registry on loopback; all other images are known to be there."""

    def ask(place: Any, reference: str, login: Login | None) -> frozenset[str]:
        if place.host == registry.host:
            return platforms(place, reference, login)
        return frozenset(nodes.split())

    answers = {"platforms of nodes": f"{nodes}\n"} | ({"secret alt-las/pull": pull_secret} if pull_secret else {})
    kubectl = type("Cluster", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    image = {"repository": f"{registry.host}/{PATH}", "tag": "1"}
    secrets = {"rollout.imagePullSecrets": ["pull"]} if pull_secret or named else {}
    settings = alpha_settings({"services.api-gateway.image": image} | secrets)
    return list(registries.registries(kubectl, settings, ask))


def only(found: list[Check]) -> tuple[str, str, str]:
    """State, name and text of the only line."""
    (check,) = found
    return check.state, check.name, str(check)


MANIFEST = f"{PATH}/manifests/1"
NAME = "image services.api-gateway.image"


@pytest.mark.parametrize(
    ("documents", "nodes"),
    [
        ({MANIFEST: INDEX}, "linux/amd64\nlinux/arm64"),
        ({MANIFEST: SINGLE, f"{PATH}/blobs/sha256:1": CONFIGURATION}, "linux/arm64"),
    ],
    ids=["an image for several platforms", "an image for one"],
)
def test_images_that_are_there_for_the_nodes_are_one_line(documents: dict[str, Any], nodes: str) -> None:
    """With the number of registries; each was asked once."""
    with serving(Registry(documents)) as registry:
        state, name, text = only(look(registry, nodes=nodes))
    assert (state, name) == ("ok", "registries")
    assert "images at " in text
    assert [path for path, _ in registry.asked] == list(documents)


@pytest.mark.parametrize(
    ("documents", "nodes", "state", "text"),
    [
        ({}, "linux/amd64", "failed", "answers 404 for"),
        ({MANIFEST: 403}, "linux/amd64", "failed", "name a Secret with its credentials by rollout.imagePullSecrets"),
        ({MANIFEST: 429}, "linux/amd64", "unknown", "answers 429"),
        ({MANIFEST: 500}, "linux/amd64", "unknown", "answers 500"),
        ({MANIFEST: INDEX}, "linux/riscv64", "failed", "is for linux/amd64, linux/arm64, and nodes are linux/riscv64"),
        ({MANIFEST: INDEX}, "linux/amd64\nwindows/amd64", "warning", "and nodes are windows/amd64"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_named_with_its_cure(
    documents: dict[str, Any], nodes: str, state: str, text: str
) -> None:
    """Alone; what only this machine may not reach stops nothing."""
    with serving(Registry(documents)) as registry:
        found = look(registry, nodes=nodes)
    assert only(found)[:2] == (state, NAME)
    assert text in str(found[0])
    assert found[0].cure


@pytest.mark.parametrize("challenge", ["Bearer", "Basic"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_private_image_is_asked_for_with_the_pull_secret(challenge: str, *, joined: bool) -> None:
    """Credentials go to the address of tokens, and the token to the registry; neither is printed."""
    with serving(Registry({MANIFEST: INDEX}, f"ada:{WORD}", challenge)) as registry:
        found = look(registry, pull_secret=secret(registry.host, joined=joined))
    assert only(found)[0] == "ok"
    sent = [authorization for _, authorization in registry.asked]
    assert sent == ["", registry.basic, *([f"Bearer {TOKEN}"] if challenge == "Bearer" else [])]


@pytest.mark.parametrize(
    ("how", "state", "text"),
    [
        ("anonymous", "failed", "name a Secret with its credentials"),
        ("wrong", "failed", "has credentials that it refuses"),
        ("of another registry", "failed", "name a Secret with its credentials"),
        ("absent", "warning", "name a Secret with its credentials"),
    ],
)
def test_a_refusal_says_which_credentials_were_meant(how: str, state: str, text: str) -> None:
    """A Secret that is not there yet may hold them, so that only warns; no word of any credential is shown."""
    with serving(Registry({MANIFEST: INDEX}, f"ada:{WORD}")) as registry:
        given = {
            "wrong": secret(registry.host, password="other-word"),
            "of another registry": secret("registry.example.com"),
        }
        found = look(registry, pull_secret=given.get(how), named=how == "absent")
    check = found[-1]
    assert (check.state, check.name) == (state, NAME)
    assert text in str(check)
    assert [each.name for each in found[:-1]] == (["pull Secret pull"] if how == "absent" else [])
    shown = json.dumps([vars(each) for each in found])
    assert not any(word in shown for word in (WORD, "other-word", TOKEN, "ada"))


def test_a_secret_of_another_form_is_named() -> None:
    """Instead of a traceback that would show it."""
    for content in ("no base64", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"auths": {"x": 1}}').decode()):
        with serving(Registry({MANIFEST: INDEX})) as registry:
            first, *_ = look(registry, pull_secret={"data": {".dockerconfigjson": content}})
        assert (first.state, first.name) == ("warning", "pull Secret pull")


def test_all_images_together_have_a_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that says nothing does not hold an update up."""
    monkeypatch.setattr(registries, "_ALL_SECONDS", 0.3)
    with serving(Registry({MANIFEST: None}), silence_seconds=1) as registry:
        state, name, text = only(look(registry))
    assert (state, name) == ("unknown", f"registry {registry.host}")
    assert "no answer after 0.3 s for all images" in text


def test_a_registry_that_is_not_there_is_unknown() -> None:
    """The nodes may reach it; one line, however many images it has."""
    registry = Registry({}, host="127.0.0.1:9")
    assert only(look(registry))[:2] == ("unknown", "registry 127.0.0.1:9")


@pytest.mark.parametrize("document", [{}, [], {"manifests": 1}, {"config": {}}])
def test_an_answer_that_is_no_manifest_is_unknown(document: Any) -> None:
    """Such as the page of a proxy."""
    with serving(Registry({MANIFEST: document})) as registry:
        state, _, text = only(look(registry))
    assert (state, "is no manifest of an image" in text) == ("unknown", True)


def test_no_registry_is_asked_where_nodes_pull_from_the_cluster_s_own() -> None:
    """As on the target `node`, which has no way to the internet."""

    def ask(*_: Any) -> frozenset[str]:
        raise AssertionError

    answers = {"configmap kube-public/local-images": {"data": {"references": "redis:8"}}}
    kubectl = type("Cluster", (Recorded,), {"answers": answers})(Path("kubectl"), Path("kubeconfig"))
    assert only(list(registries.registries(kubectl, alpha_settings(), ask)))[:2] == ("ok", "registries")


def test_credentials_are_not_shown_by_their_own_text() -> None:
    """As they would be in a traceback or a log."""
    assert "word" not in repr(Login("ada", "word"))


@pytest.mark.parametrize(
    ("repository", "host", "path"),
    [
        ("redis", "registry-1.docker.io", "library/redis"),
        ("grafana/loki", "registry-1.docker.io", "grafana/loki"),
        ("docker.io/grafana/loki", "registry-1.docker.io", "grafana/loki"),
        ("ghcr.io/a/b", "ghcr.io", "a/b"),
        ("localhost/a", "localhost", "a"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a"),
    ],
)
def test_a_repository_names_its_registry(repository: str, host: str, path: str) -> None:
    """As container runtimes read it."""
    assert (place_of(repository).host, place_of(repository).path) == (host, path)
