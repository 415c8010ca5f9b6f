"""Images: fixed tags, digests, and the five that are retired."""

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem

IMAGE = "services.runner-service.image"
DIGEST = "sha256:" + "0123456789abcdef" * 4

# The status report of the beta images: each with what replaced it.
RETIRED = {
    "frozen68/api-gateway": "beta.v9",
    "frozen68/runner-service": "beta.final",
    "frozen68/segmentation-service": "beta",
    "frozen68/ai-orchestrator": "beta",
    "frozen68/archive-service": "beta",
}


@pytest.mark.parametrize("registry", ["", "docker.io/", "index.docker.io/", "registry-1.docker.io/"])
@pytest.mark.parametrize("repository", RETIRED)
def test_a_retired_image_is_refused_by_every_name_it_has(repository: str, registry: str) -> None:
    """With the image that replaced it; the default registry's names are all the same image."""
    path, message = only_problem(
        alpha_with({f"{IMAGE}.repository": f"{registry}{repository}", f"{IMAGE}.tag": "latest"})
    )
    assert path == IMAGE
    assert message == (
        f"{repository}:latest is retired and must not be deployed; use {repository}:{RETIRED[repository]} or a later "
        "release"
    )


@pytest.mark.parametrize("digest", [None, DIGEST])
def test_a_retired_image_stays_retired_with_a_digest(digest: str | None) -> None:
    """A digest does not make it another image."""
    changes = {f"{IMAGE}.repository": "frozen68/runner-service", f"{IMAGE}.tag": "latest", f"{IMAGE}.digest": digest}
    assert "is retired" in only_problem(alpha_with(changes))[1]


@pytest.mark.parametrize("tag", ["latest", "Latest", "LATEST"])
def test_latest_of_any_other_image_is_refused_too(tag: str) -> None:
    """It names no release, so nothing could be rolled back to it."""
    path, message = only_problem(alpha_with({f"{IMAGE}.repository": "ghcr.io/team/app", f"{IMAGE}.tag": tag}))
    assert path == IMAGE
    assert message == (
        f"ghcr.io/team/app:{tag} can change under a running release and cannot be rolled back; use the fixed tag of a "
        "release"
    )


@pytest.mark.parametrize("repository", RETIRED)
def test_the_replacement_of_a_retired_image_is_accepted(repository: str) -> None:
    """The control: what the message recommends works."""
    settings = alpha_settings({f"{IMAGE}.repository": repository, f"{IMAGE}.tag": RETIRED[repository]})
    assert settings.services.runner_service.image.reference == f"{repository}:{RETIRED[repository]}"


@pytest.mark.parametrize(
    "repository",
    ["team/app", "ghcr.io/team/app", "localhost:5000/app", "registry.example:443/a/b/c", "app", "team/a__b-c.d"],
)
def test_repositories_of_any_registry_are_accepted(repository: str) -> None:
    """With a host, a port, and as many folders as there are."""
    assert alpha_settings({f"{IMAGE}.repository": repository}).services.runner_service.image.repository == repository


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "Team/app",
        "team/app:1",
        "app:1",
        f"team/app@{DIGEST}",
        "team//app",
        "/app",
        "app/",
        "team app",
        "localhost:٣/app",
    ],
)
def test_a_repository_with_more_or_less_than_its_name_is_refused(repository: str) -> None:
    """Tag and digest have keys of their own."""
    assert only_problem(alpha_with({f"{IMAGE}.repository": repository})) == (
        f"{IMAGE}.repository",
        "is not an image repository; write it in lower case without tag or digest, such as team/app",
    )


@pytest.mark.parametrize("tag", ["", ".1", "1-", "a b", "a:b", "ä", "1.0\n", "x" * 64])
def test_a_tag_that_is_no_label_value_is_refused(tag: str) -> None:
    """Because it is the version label of the pods."""
    assert only_problem(alpha_with({f"{IMAGE}.tag": tag})) == (
        f"{IMAGE}.tag",
        "is not a usable tag; use at most 63 letters, digits, '.', '_' or '-', because it is also the version label "
        "of the pods",
    )


@pytest.mark.parametrize("digest", ["", "sha256:", "0" * 64, "sha256:" + "0" * 63, "sha256:" + "G" * 64, "sha512:00"])
def test_a_bad_digest_is_refused_with_its_form(digest: str) -> None:
    """Sixty-four hexadecimal digits in lower case, as registries print them."""
    assert only_problem(alpha_with({f"{IMAGE}.digest": digest})) == (
        f"{IMAGE}.digest",
        "is not a digest; write 'sha256:' and 64 hexadecimal digits",
    )


def test_a_digest_is_part_of_the_reference() -> None:
    """The tag stays readable, the digest decides."""
    image = alpha_settings({f"{IMAGE}.digest": DIGEST}).services.runner_service.image
    assert image.reference == f"registry.invalid/alt-las/runner-service:1.0.0-alpha@{DIGEST}"
