"""Gate: every image that an operator puts into a pod of the stack passes the stack's own admission rules."""

import json
import re
from itertools import product
from typing import Any

import pytest

from components.platform.admission import AdmissionArgs, policy
from policy.pack.parameters import parameters_of
from policy.rules.images import split_image
from tests.support.documents import BESIDE_SERVICES, REMOVED, ROOT, alpha_settings

DIGEST = "sha256:" + "0" * 64
BUCKET = {"endpoint": "https://s3.example.com", "bucket": "backups"}
ADDONS = json.loads((ROOT / "cluster" / "addons" / "manifest.json").read_text())["addons"]
OPERATOR = f"ghcr.io/cloudnative-pg/cloudnative-pg:{ADDONS['cloudnativepg']['version']}"
"""CloudNativePG's own image, which it runs as init container `bootstrap-controller` of each server."""

(ARCHIVER,) = (image for image in ADDONS["barman-cloud"]["images"].values() if "sidecar" in image)
"""Container that the Barman Cloud plugin adds to each server; the addon names its image and tag."""

ADDITIONAL: tuple[Any, ...] = (REMOVED, [], ["ghcr.io/team/tool"])


def changes(*, bucket: bool, digests: bool, additional: Any) -> dict[str, Any]:
    """Changes of alpha: PostgreSQL with or without a bucket, all images by digest or not."""
    others = [block for block in BESIDE_SERVICES if block not in {"postgres", "backup"}]
    made: dict[str, Any] = dict.fromkeys(others) | {"backup.objectStore": BUCKET if bucket else None}
    if digests:
        settings = alpha_settings(made)
        images = dict(settings.images())
        made |= {
            path: {"repository": image.repository, "tag": image.tag, "digest": DIGEST} for path, image in images.items()
        }
    admission = {"requireDigests": digests} | ({} if additional is REMOVED else {"additionalRepositories": additional})
    return made | {"admission": admission}


def broken(image: str, made: dict[str, Any]) -> list[str]:
    """Names of the rules about images that an image breaks, as CEL's operators and `matches` decide it."""
    found = []
    for rule in policy(AdmissionArgs.of(alpha_settings(made)), "alpha")["spec"]["validations"]:
        name, _, _ = rule["message"].partition(":")
        if held := re.fullmatch(r"variables\.images\.all\(image, (.*)\)", rule["expression"]):
            python = re.sub(r"!(?=image)", " not ", held[1]).replace("&&", "and").replace(" || ", " or ")
            python = python.replace("image.matches(", "matches(")
            if not eval(python, {"matches": lambda pattern: bool(re.search(pattern, image))}):  # noqa: S307
                found.append(name)
    return found


@pytest.mark.parametrize(("bucket", "digests", "additional"), list(product((False, True), (False, True), ADDITIONAL)))
def test_what_operators_inject_is_admitted_in_every_combination(bucket: bool, digests: bool, additional: Any) -> None:
    """By tag, because they choose it; what the settings do not make them inject stays unknown."""
    made = changes(bucket=bucket, digests=digests, additional=additional)
    assert broken(OPERATOR, made) == []
    assert broken(ARCHIVER, made) == ([] if bucket else ["known-repository", *(["digest"] if digests else [])])
    allowed = parameters_of("alpha", alpha_settings(made)).allowed_repositories
    assert {split_image(OPERATOR)[0], *([split_image(ARCHIVER)[0]] if bucket else [])} <= {*allowed}


@pytest.mark.parametrize(("digests", "rules"), [(False, []), (True, ["digest"])])
def test_the_exemption_is_of_operators_images_only(digests: bool, rules: list[str]) -> None:
    """The stack's own images need digests where they are required, and strangers stay out."""
    made = changes(bucket=True, digests=digests, additional=REMOVED)
    assert broken("registry.invalid/alt-las/api-gateway:1.0.0-alpha", made) == rules
    assert broken(f"registry.invalid/alt-las/api-gateway:1.0.0-alpha@{DIGEST}", made) == []
    assert broken(f"ghcr.io/cloudnative-pg/other:1@{DIGEST}", made) == ["known-repository"]
    assert broken("ghcr.io/cloudnative-pg/cloudnative-pg", made) == ["fixed-tag"]


def test_without_postgres_nothing_is_injected() -> None:
    """Only what the stack names is known then."""
    made: dict[str, Any] = {"postgres": None, "backup": None, "admission": {"additionalRepositories": []}}
    assert broken(OPERATOR, made) == ["known-repository"]
