"""Settings of admission."""

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem


def test_digests_that_are_required_and_missing_are_named_by_path() -> None:
    """All of them, before the API server would refuse the first pod."""
    path, message = only_problem(alpha_with({"admission": {"requireDigests": True}}))
    assert path == ""
    assert message.startswith("admission.requireDigests is true, but these images have no digest: ")
    for service in alpha_settings().services.by_name():
        assert f"services.{service}.image" in message
    cure = (
        "add the digest of each (sha256:...), lock those of the services with `altlas images lock`, or set it to false"
    )
    assert message.endswith(f"; {cure}")


@pytest.mark.parametrize("repository", ["team/app:1", "Team/app", "https://team/app", ""])
def test_a_repository_with_a_tag_or_another_form_is_refused(repository: str) -> None:
    """It would allow nothing, silently."""
    path, message = only_problem(alpha_with({"admission": {"additionalRepositories": [repository]}}))
    assert path == "admission.additionalRepositories[0]"
    assert message.startswith("is not an image repository")
