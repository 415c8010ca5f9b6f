"""Optional addons, on a cluster that answers from memory."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from altlas.addons.install import Addons, Choices
from altlas.session.consent import Consent
from cluster.addons import AddonState, addon_objects, load_manifest, record_of
from cluster.addons.manifest import Addon
from rendering.errors import CommandError
from tests.addons.conftest import Memory, manifest_of

Make = Callable[..., Addons]
AGREED = Consent(given=True)
ASKED_FOR = Choices(optional=frozenset({"boats"}))
PINNED = record_of(manifest_of(optional=True), (), webhooks=False, optional=["boats"])


def test_an_optional_addon_is_not_installed_of_itself(addons_of: Make, memory: Memory) -> None:
    """A cluster without it has all it is to have."""
    assert not addons_of(optional=True).ensure(consent=AGREED)
    assert memory.changes == []
    assert addons_of(optional=True).states() == {"boats": ("", AddonState.OPTIONAL)}


def test_it_is_installed_with_an_option(addons_of: Make, memory: Memory) -> None:
    """CRDs, then the operator; the stack's settings record the choice."""
    assert addons_of(optional=True).ensure(ASKED_FOR, consent=AGREED)
    assert memory.changes[0].startswith("kubectl apply")
    assert '--config=alt-las-addons:optional=["boats"]' in memory.changes[1]


def test_it_is_kept_up_to_date_without_being_asked_for_again(addons_of: Make, memory: Memory) -> None:
    """By the cluster's own record."""
    memory.record = PINNED
    assert not addons_of(optional=True).ensure(consent=AGREED)
    assert addons_of(optional=True).states() == {"boats": ("1.2.3", AddonState.INSTALLED)}
    memory.definition(ours=True)
    assert addons_of("2.0.0", optional=True).ensure(consent=AGREED)
    assert '--config=alt-las-addons:optional=["boats"]' in memory.changes[-1]


def test_what_it_requires_of_others_must_be_there_first(addons_of: Make, memory: Memory) -> None:
    """Its operator would wait for ever, and with it everybody's addons. A simulated one needs nothing."""
    required = {"optional": True, "requires": ["certificates.cert-manager.io"]}
    with pytest.raises(
        CommandError, match=r"Boats needs what the cluster does not have: certificates\.cert-manager\.io"
    ):
        addons_of(target="kubeconfig", **required).ensure(ASKED_FOR, consent=AGREED)
    assert memory.changes == []
    assert addons_of(**required).ensure(ASKED_FOR, consent=AGREED)
    memory.changes.clear()
    memory.definitions.append({"metadata": {"name": "certificates.cert-manager.io"}})
    assert addons_of(target="kubeconfig", **required).ensure(ASKED_FOR, consent=AGREED)


def secret_of(addon: Addon, folder: Path, value: str) -> str:
    """Value that a Secret of an addon has in the end."""
    data = {"image": base64.b64encode(value.encode()).decode()}
    path = folder / "secret.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": data}))
    (secret,) = addon_objects(addon, [path], webhooks=True).operator
    return base64.b64decode(secret["data"]["image"]).decode()


def test_released_images_take_the_place_of_those_of_the_development(tmp_path: Path) -> None:
    """Also in a Secret, where the operator reads which one to put beside a database; nothing else changes there."""
    images = {"example.org/boats-testing:main": "example.org/boats:v1.2.3"}
    addon = manifest_of(images=images, namespace=None).addons["boats"]
    assert secret_of(addon, tmp_path, "example.org/boats-testing:main") == "example.org/boats:v1.2.3"
    assert secret_of(addon, tmp_path, "example.org/boats-testing:main2") == "example.org/boats-testing:main2"


def test_no_image_of_the_plugin_s_development_is_left() -> None:
    """Every image that is replaced is replaced by the pinned version."""
    addon = load_manifest().addons["barman-cloud"]
    assert len(addon.images) == 2
    assert all(image.endswith(f":v{addon.version}") for image in addon.images.values())


def test_certificates_are_left_out_where_nobody_issues_them(tmp_path: Path) -> None:
    """The simulated cluster has no cert-manager."""
    path = tmp_path / "certificate.yaml"
    path.write_text("{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}}")
    addon = manifest_of(namespace=None).addons["boats"]
    assert addon_objects(addon, [path], webhooks=False).operator == ()
    assert len(addon_objects(addon, [path], webhooks=True).operator) == 1
