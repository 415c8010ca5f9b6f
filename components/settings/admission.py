"""Objects that the API server refuses in the stack's namespace. Does not own the pod security standard."""

from typing import Annotated

from pydantic import AfterValidator

from components.settings.base import Settings, setting
from components.settings.image import is_repository


def _repository(text: str) -> str:
    if not is_repository(text):
        raise ValueError("is not an image repository; write it in lower case without tag or digest, such as team/app")
    return text


Repository = Annotated[str, AfterValidator(_repository)]


class AdmissionSettings(Settings):
    """Rules about images and labels, kept by a ValidatingAdmissionPolicy (Kubernetes 1.30 or later)."""

    enabled: bool = setting(
        "security", "Let the API server keep the rules; off where the deployer may write nothing cluster-wide.", True
    )
    require_digests: bool = setting(
        "security",
        "Refuse every image that is not held to a digest, but for those that operators put into pods by themselves.",
        False,
    )
    additional_repositories: tuple[Repository, ...] = setting(
        "security",
        "Repositories allowed beyond those of the images in this file, by tag, too: what operators put into pods by "
        "themselves. Those of CloudNativePG and of its Barman Cloud plugin are known where a stack needs them.",
        ("ghcr.io/cloudnative-pg/cloudnative-pg",),
    )
