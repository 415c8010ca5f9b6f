"""Gate: every image that an operator puts into a pod of the stack passes the stack's own admission rules."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from components.platform.admission import AdmissionArgs, policy
from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from policy.pack.parameters import parameters_of
from policy.rules.images import split_image
from rendering.recorder import record
from tests.policy.settings_variations import repeatable, with_digests
from tests.support.documents import BESIDE_SERVICES, REMOVED, ROOT, STACKS, alpha_settings, platform_of

DIGEST = "sha256:" + "0" * 64
BUCKET = {"endpoint": "https://s3.example.com", "bucket": "backups"}
ADDONS = json.loads((ROOT / "cluster" / "addons" / "manifest.json").read_text())["addons"]
OPERATOR = f"ghcr.io/cloudnative-pg/cloudnative-pg:{ADDONS['cloudnativepg']['version']}"
"""CloudNativePG's own image, which it runs as init container `bootstrap-controller` of each server."""

(ARCHIVER,) = (image for image in ADDONS["barman-cloud"]["images"].values() if "sidecar" in image)
"""Container that the Barman Cloud plugin adds to each server; the addon names its image and tag."""

INJECTED: dict[str, tuple[str, ...]] = {
    "cloudnativepg": (OPERATOR,),
    "barman-cloud": (ARCHIVER,),
    # It makes copies of the services' own pods.
    "flagger": (),
    "gateway-api": (),
    # Ambient: what it needs runs on the nodes, in no pod of a stack.
    "istio": (),
    # Its helper containers have images of the stack's settings, which the objects name.
    "prometheus-operator": (),
}
"""Images that each addon puts into pods of a stack by itself."""

OF_ADDONS = {ADDONS["barman-cloud"]["images"]["ghcr.io/cloudnative-pg/plugin-barman-cloud-testing:main"]}
"""Images of addons that run in namespaces of their own."""

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


def settings_of(stack: str, *, bucket: bool, digests: bool) -> PlatformSettings:
    """A whole stack, with a bucket and with digests."""
    document = platform_of(stack)
    document["backup"] |= {"objectStore": BUCKET} if bucket else {}
    if digests:
        document = with_digests(document, repeatable(1)) | {"admission": {"requireDigests": True}}
    return parse_platform(document)


def broken(image: str, made: dict[str, Any]) -> list[str]:
    """Names of the rules about images that an image breaks, with alpha's settings changed."""
    return broken_rules(policy(AdmissionArgs.of(alpha_settings(made)), "alpha"), image)


def broken_rules(rules: Mapping[str, Any], image: str) -> list[str]:
    """Names of the rules that an image breaks, as CEL's operators and `matches` decide it."""
    found = []
    for rule in rules["spec"]["validations"]:
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


def test_every_addon_and_every_image_of_one_is_classified() -> None:
    """A new addon, and a new image of one, is red until it is classified here."""
    assert INJECTED.keys() == ADDONS.keys()
    named = {image for addon in ADDONS.values() for image in addon.get("images", {}).values()}
    injected = {image for images in INJECTED.values() for image in images}
    assert named - OF_ADDONS <= injected
    assert named >= OF_ADDONS


def images_in(value: Any, key: str = "") -> Iterator[str]:
    """Images anywhere in a document: fields that are called so, and volumes that are images."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from images_in(each, name)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from images_in(each, key)
    elif isinstance(value, str) and (key in {"image", "imageName", "reference"} or key.endswith("Image")):
        yield value


def refused(objects: Iterable[Any], platform: PlatformSettings) -> set[str]:
    """Images in objects that a stack's own rules refuse."""
    rules = policy(AdmissionArgs.of(platform), "alpha")
    return {image for each in objects for image in images_in(each) if broken_rules(rules, image)}


@pytest.mark.parametrize("digests", [False, True])
@pytest.mark.parametrize("bucket", [False, True])
@pytest.mark.parametrize("stack", STACKS)
def test_every_image_that_the_objects_name_is_admitted(stack: str, bucket: bool, digests: bool) -> None:
    """In pod templates, and in custom resources, whose operators put them into pods."""
    platform = settings_of(stack, bucket=bucket, digests=digests)
    objects = record(stack, platform).objects
    assert refused(objects, platform) == set()
    assert len({image for each in objects for image in images_in(each)}) >= 15


@pytest.mark.parametrize(
    "planted",
    [
        {"kind": "Prometheus", "spec": {"thanos": {"image": "quay.io/thanos/thanos:v0.39.2"}}},
        {"kind": "Cluster", "spec": {"imageName": "ghcr.io/team/postgresql:18"}},
        {"kind": "Pooler", "spec": {"template": {"spec": {"containers": [{"image": "ghcr.io/team/bouncer:1"}]}}}},
        {"kind": "Pod", "spec": {"volumes": [{"image": {"reference": "ghcr.io/team/model:1"}}]}},
        {"kind": "ObjectStore", "spec": {"instanceSidecarConfiguration": {"sidecarImage": "ghcr.io/team/wal:1"}}},
    ],
)
def test_an_image_that_is_new_in_an_object_is_found(planted: Mapping[str, Any]) -> None:
    """Of any kind, whatever the field is called."""
    platform = settings_of("alpha", bucket=True, digests=False)
    assert refused([planted], platform) == {*images_in(planted)}
