"""Objects made from an addon's files."""

from pathlib import Path

import pytest

from cluster.addons import PART_OF, AddonObjects, addon_objects, load_manifest
from tests.addons.conftest import CONTENT, manifest_of


def boats(tmp_path: Path, *, webhooks: bool) -> AddonObjects:
    """The objects of `boats`."""
    path = tmp_path / "boats.yaml"
    path.write_bytes(CONTENT)
    return addon_objects(manifest_of().addons["boats"], [path], webhooks=webhooks)


def test_definitions_are_apart_from_the_operator_whose_namespace_comes_first(tmp_path: Path) -> None:
    """Definitions are installed before, and nothing can be made in a namespace that is not there."""
    objects = boats(tmp_path, webhooks=True)
    assert [each["metadata"]["name"] for each in objects.definitions] == ["boats.example.org"]
    assert [each["kind"] for each in objects.operator] == [
        "Namespace",
        "ServiceAccount",
        "ClusterRoleBinding",
        "ValidatingWebhookConfiguration",
    ]


def test_webhooks_are_left_out_where_no_operator_answers_them(tmp_path: Path) -> None:
    """They would make the API server refuse every custom resource."""
    kinds = [each["kind"] for each in boats(tmp_path, webhooks=False).operator]
    assert kinds == ["Namespace", "ServiceAccount", "ClusterRoleBinding"]


def test_the_operator_is_moved_to_its_own_restricted_namespace(tmp_path: Path) -> None:
    """Everywhere an object names the upstream namespace."""
    namespace, account, binding, webhook = boats(tmp_path, webhooks=True).operator
    assert namespace["metadata"]["name"] == "boats"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert account["metadata"]["namespace"] == "boats"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "boatman", "namespace": "boats"}]
    assert webhook["webhooks"][0]["clientConfig"]["service"]["namespace"] == "boats"


@pytest.mark.parametrize("kind", ["definitions", "operator"])
def test_every_object_says_that_it_is_ours_and_keeps_its_own_labels(tmp_path: Path, kind: str) -> None:
    """The label marks objects of this project."""
    for each in getattr(boats(tmp_path, webhooks=True), kind):
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == PART_OF
        if each["kind"] == "ServiceAccount":
            assert each["metadata"]["labels"]["app"] == "boatman"


def test_definitions_that_a_helm_chart_owns_elsewhere_name_its_release(tmp_path: Path) -> None:
    """Helm refuses to take over what does not; everything else stays without an owner."""
    path = tmp_path / "boats.yaml"
    path.write_bytes(CONTENT)
    addon = manifest_of(helm={"name": "boats-base", "namespace": "boats-system"}, namespace=None).addons["boats"]
    made = addon_objects(addon, [path], webhooks=True)
    (definition,) = made.definitions
    assert definition["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert definition["metadata"]["annotations"] == {
        "meta.helm.sh/release-name": "boats-base",
        "meta.helm.sh/release-namespace": "boats-system",
    }
    assert not any("managed-by" in str(each) for each in made.operator)
    assert "managed-by" not in str(addon_objects(manifest_of().addons["boats"], [path], webhooks=True))


def test_istio_s_definitions_name_the_release_of_its_documentation() -> None:
    """`helm install istio-base istio/base -n istio-system`."""
    helm = load_manifest().addons["istio"].helm
    assert helm is not None
    assert (helm.name, helm.namespace) == ("istio-base", "istio-system")


def test_a_lone_equals_sign_is_a_text(tmp_path: Path) -> None:
    """YAML 1.1 has a special value for it, which definitions of matchers do not mean."""
    (definition,) = boats(tmp_path, webhooks=True).definitions
    assert definition["spec"]["pattern"] == "="
