"""Addons installed, skipped, refused and left alone, on a cluster that answers from memory."""

from collections.abc import Callable

import pytest

from altlas.addons.install import Addons, Choices
from altlas.session.consent import Consent
from cluster.addons import AddonState, is_newer, record_of
from rendering.errors import CommandError, ExitCode
from tests.addons.conftest import Memory, manifest_of

Make = Callable[..., Addons]
AGREED = Consent(given=True)
BOATS = frozenset({"boats"})
UP = (
    "pulumi up --stack cluster-01234567 --config=alt-las-addons:webhooks=false --config=alt-las-addons:external={} "
    "--config=alt-las-addons:optional=[] --yes --skip-preview"
)
APPLY = "kubectl apply --server-side --field-manager=alt-las-addons --request-timeout=60s --filename=-"


def pinned(version: str = "1.2.3", *, webhooks: bool = False) -> dict[str, str]:
    """The record of a cluster that has a version of `boats`."""
    return record_of(manifest_of(version), (), webhooks=webhooks)


def test_an_empty_cluster_gets_definitions_and_then_operators(addons_of: Make, memory: Memory) -> None:
    """The record is written by the last step, so that a broken installation is not taken for a whole one."""
    assert addons_of().ensure(consent=AGREED)
    assert memory.changes == [APPLY, UP.format("[]")]
    assert memory.stacks == ["cluster-01234567"]
    assert any("Operators are simulated here" in each and "not proven here" in each for each in memory.reports)


def test_what_is_in_place_is_skipped(addons_of: Make, memory: Memory) -> None:
    """Neither kubectl nor Pulumi changes anything, and no file is needed."""
    memory.record = pinned()
    assert not addons_of().ensure(consent=AGREED)
    assert memory.changes == []


@pytest.mark.parametrize("record", [pinned("1.2.2"), pinned(webhooks=True), {"boats": "1.2.3 sha256:other"}, {}])
def test_anything_else_is_updated(addons_of: Make, memory: Memory, record: dict[str, str]) -> None:
    """An older version, other objects of the same version, an installation that was never finished."""
    memory.record = record
    memory.definition(ours=True)
    assert addons_of().ensure(consent=AGREED)
    assert memory.changes == [APPLY, UP.format("[]")]


def test_a_newer_version_is_refused_before_anything_is_written(addons_of: Make, memory: Memory) -> None:
    """It is never downgraded."""
    memory.record = pinned("2.0.0")
    message = r"boats 2\.0\.0 is on the cluster, 1\.2\.3 is pinned here.*Nothing was changed"
    with pytest.raises(CommandError, match=message):
        addons_of().ensure(consent=AGREED)
    assert memory.changes == []
    assert addons_of().states() == {"boats": ("2.0.0", AddonState.NEWER)}


def test_crds_of_others_are_not_changed_and_named(addons_of: Make, memory: Memory) -> None:
    """The message says how to take them over; the record keeps that they are left alone."""
    memory.definition(ours=False, version="v1.2.0")
    assert addons_of().ensure(consent=AGREED)
    assert memory.changes == [UP.format('["boats"]')]
    assert memory.reports[0] == (
        "Boats 1.2.0 is on the cluster already and was not installed from here (boats.example.org); it is not changed. "
        "To take it over at 1.2.3: altlas addons install --adopt boats"
    )


def test_what_was_left_alone_stays_so_and_is_told_each_time(addons_of: Make, memory: Memory) -> None:
    """Without looking at the cluster's definitions again."""
    memory.record = {"boats": "external"}
    assert not addons_of().ensure(consent=AGREED)
    assert memory.changes == []
    assert memory.reports == ["Left to the cluster: boats."]
    assert addons_of().states() == {"boats": ("", AddonState.EXTERNAL)}


def test_an_addon_of_others_is_adopted_on_request(addons_of: Make, memory: Memory) -> None:
    """Its fields change their owner, which the API server else refuses."""
    memory.record = {"boats": "external"}
    memory.definition(ours=False, version="v1.2.0")
    assert addons_of().ensure(Choices(adopt=BOATS), consent=AGREED)
    assert memory.changes == [APPLY.replace("--filename", "--force-conflicts --filename"), UP.format("[]")]


def test_a_newer_version_of_others_is_not_adopted(addons_of: Make, memory: Memory) -> None:
    """Definitions that lose a version lose data."""
    memory.definition(ours=False, version="v1.10.0")
    with pytest.raises(CommandError, match=r"boats 1\.10\.0 is on the cluster, 1\.2\.3 is pinned here"):
        addons_of().ensure(Choices(adopt=BOATS), consent=AGREED)
    assert memory.changes == []


def test_what_is_ours_cannot_be_given_up_while_it_is_installed(addons_of: Make, memory: Memory) -> None:
    """Its operator would be removed from under its data."""
    memory.record = pinned()
    with pytest.raises(CommandError, match=r"boats was installed from here.*altlas addons remove"):
        addons_of().ensure(Choices(external=BOATS), consent=AGREED)
    assert memory.changes == []


def test_crds_without_an_operator_are_handed_over_and_stay(addons_of: Make, memory: Memory) -> None:
    """The owner of the mesh installs it by Helm then; a removal no longer takes the CRDs along."""
    memory.record = record_of(manifest_of(namespace=None), (), webhooks=False)
    memory.definition(ours=True)
    assert addons_of(namespace=None).ensure(Choices(external=BOATS), consent=AGREED)
    assert memory.changes == [
        UP.format('["boats"]'),
        "kubectl label customresourcedefinitions boats.example.org app.kubernetes.io/part-of-",
    ]
    assert "Handed Boats over to the cluster: 1 CRDs stay." in memory.reports


def test_without_the_right_to_read_the_record_the_cure_is_named(addons_of: Make, memory: Memory) -> None:
    """A deployer of a stack need not be the administrator of the cluster."""
    memory.refusal = "Error from server (Forbidden): configmaps is forbidden"
    with pytest.raises(CommandError, match=r"is forbidden[\s\S]*altlas up --no-addons") as caught:
        addons_of().ensure(consent=AGREED)
    assert caught.value.code == ExitCode.NO_CLUSTER
    memory.refusal = "The connection to the server 127.0.0.1:1 was refused"
    with pytest.raises(CommandError, match=r"was refused$"):
        addons_of().ensure(consent=AGREED)


def test_an_unknown_addon_is_bad_input(addons_of: Make) -> None:
    """The message lists the known ones."""
    with pytest.raises(CommandError, match="'ships' is not an addon; known are: boats") as caught:
        addons_of().ensure(Choices(external=frozenset({"ships"})), consent=AGREED)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_a_cluster_that_runs_containers_gets_webhooks_and_is_asked_about(addons_of: Make, memory: Memory) -> None:
    """Nothing is said to be simulated there."""
    assert addons_of(target="kubeconfig").ensure(consent=AGREED)
    assert memory.changes[1] == UP.format("[]").replace("false", "true")
    assert not any("simulated" in each for each in memory.reports)


def test_removal_is_refused_while_a_custom_resource_exists(addons_of: Make, memory: Memory) -> None:
    """The message names it and says what would be lost."""
    memory.record, memory.stacks, memory.resources = pinned(), ["cluster-01234567"], ["harbour Boat/one"]
    memory.definition(ours=True)
    with pytest.raises(CommandError, match=r"would be deleted with their CRDs[\s\S]*harbour Boat/one"):
        addons_of().remove(consent=AGREED)
    assert memory.changes == []


def test_removal_takes_operators_first_and_only_our_definitions(addons_of: Make, memory: Memory) -> None:
    """An operator without its definitions would fail in a loop."""
    memory.record, memory.stacks = pinned(), ["cluster-01234567"]
    memory.definition(ours=True)
    memory.definitions.append({"metadata": {"name": "ships.example.org"}})
    assert addons_of().remove(consent=AGREED)
    assert memory.changes == [
        "pulumi destroy --stack cluster-01234567 --remove --yes --skip-preview",
        "kubectl delete customresourcedefinitions boats.example.org --ignore-not-found --timeout=120s",
    ]


def test_removal_from_a_checkout_that_did_not_install_is_refused(addons_of: Make, memory: Memory) -> None:
    """Its backend does not know what the operators consist of."""
    memory.record = pinned()
    memory.definition(ours=True)
    with pytest.raises(CommandError, match="were installed from another checkout"):
        addons_of().remove(consent=AGREED)
    assert memory.changes == []


def test_there_is_nothing_to_remove_from_an_empty_cluster(addons_of: Make, memory: Memory) -> None:
    """Also where CRDs of others exist."""
    memory.definition(ours=False)
    assert not addons_of().remove(consent=AGREED)
    assert memory.changes == []


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [("1.10.0", "1.9.9", True), ("v1.6.1", "1.6.1", False), ("1.6.0", "1.6.1", False), ("unknown", "1.0.0", False)],
)
def test_versions_are_compared_by_their_numbers(version: str, than: str, newer: bool) -> None:
    """Not as texts."""
    assert is_newer(version, than) == newer
