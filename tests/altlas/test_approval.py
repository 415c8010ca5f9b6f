"""Approvals of a plan: the persons who may give one, by which keys, and how many a plan needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altlas.release.approval import approve, check_approvals
from altlas.release.engine_plan import engine_plan
from altlas.release.plan import Plan, PlanFile, steps_document
from altlas.release.rules import check_deletions, needed_approvals
from components.settings.release import ReleaseSettings
from rendering.errors import CommandError
from tests.altlas.release_stand_ins import DEPLOYMENT_URN, World, allowed, deployment, key_of

ADA, BOB, MALLORY = "ada@example.org", "bob@example.org", "mallory@example.org"


def planned(approvals: int = 1, **changes: Any) -> Plan:
    """A plan that Mallory has made."""
    engine = engine_plan(World().preview())
    fields: dict[str, Any] = {
        "schema_name": "alt-las/release-plan/v1",
        "stack": "alpha",
        "kind": "apply",
        "of": None,
        "release": None,
        "target": "sim",
        "cluster": "cluster-1",
        "created": "2026-01-01T00:00:00+00:00",
        "expires": "2099-01-01T00:00:00+00:00",
        "authors": (MALLORY,),
        "commit": "",
        "operations": engine.operations,
        "steps": steps_document(engine.steps),
        "classes": engine.classes,
        "approvals": approvals,
        "automatic": "",
        "seal": {},
    }
    return Plan(**{**fields, **changes})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One key for each person, and a second one for Ada."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: key_of(folder, name) for name in ("ada", "ada-2", "bob", "mallory")}


@pytest.fixture
def signers(tmp_path: Path, keys: Mapping[str, Path]) -> Path:
    """Ada with two keys, Bob and Mallory may sign."""
    path = tmp_path / "allowed_signers"
    lines = ((keys["ada"], ADA), (keys["ada-2"], ADA), (keys["bob"], BOB), (keys["mallory"], MALLORY))
    path.write_text("".join(allowed(key, name) for key, name in lines))
    return path


def test_two_persons_with_two_keys_are_two_approvals(keys: Mapping[str, Path], signers: Path) -> None:
    """The control; the names come back in their order."""
    file = PlanFile(planned(2))
    for name in ("ada", "bob"):
        file = file.with_approval(approve(file.plan, keys[name], signers))
    assert check_approvals(file, signers) == (ADA, BOB)
    assert set(file.approvals[0]) == {"payload", "payloadType", "signatures"}


def test_one_person_with_two_keys_is_one_approval(keys: Mapping[str, Path], signers: Path) -> None:
    """And so is one key under two names."""
    file = PlanFile(planned(2))
    for name in ("ada", "ada-2", "ada"):
        file = file.with_approval(approve(file.plan, keys[name], signers))
    with pytest.raises(CommandError, match=r"needs 2 approvals by different persons and has 1 \(ada@example.org\)"):
        check_approvals(file, signers)
    signers.write_text(allowed(keys["ada"], ADA) + allowed(keys["ada"], BOB))
    one = PlanFile(file.plan, (approve(file.plan, keys["ada"], signers),) * 2)
    with pytest.raises(CommandError, match="has 1"):
        check_approvals(one, signers)


@pytest.mark.parametrize("author", [MALLORY, "Mallory@Example.org"])
def test_an_author_cannot_approve(keys: Mapping[str, Path], signers: Path, author: str) -> None:
    """Neither by the own key, nor under another name of it, nor by an approval that was made before."""
    plan = planned(authors=("pipeline", author))
    with pytest.raises(CommandError, match="is an author of the plan and cannot approve it"):
        approve(plan, keys["mallory"], signers)
    signers.write_text(allowed(keys["mallory"], "else@example.org") + allowed(keys["mallory"], MALLORY))
    with pytest.raises(CommandError, match="is an author of the plan and cannot approve it"):
        approve(plan, keys["mallory"], signers)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('namespaces="git"', "does not hold|is not among the allowed signers"),
        ('namespaces="alt-las-release",valid-before="20200101"', "does not hold|is not among the allowed signers"),
        ('namespaces="alt-las-release",valid-after="20980101"', "does not hold|is not among the allowed signers"),
    ],
    ids=["another namespace", "expired", "not yet valid"],
)
def test_a_key_that_is_not_for_this_or_not_for_now_is_refused(
    keys: Mapping[str, Path], signers: Path, options: str, said: str
) -> None:
    """When it signs, and when a signature that was good is used."""
    file = PlanFile(planned())
    file = file.with_approval(approve(file.plan, keys["ada"], signers))
    signers.write_text(allowed(keys["ada"], ADA, options))
    with pytest.raises(CommandError, match=said):
        approve(file.plan, keys["ada"], signers)
    with pytest.raises(CommandError, match=r"the signature of ada@example\.org does not hold"):
        check_approvals(file, signers)


def test_a_comment_that_is_no_utf8_harms_no_signer(keys: Mapping[str, Path], signers: Path) -> None:
    """ssh-keygen takes such a file, too."""
    signers.write_bytes("# Zoë\n".encode("latin-1") + signers.read_bytes())
    file = PlanFile(planned())
    assert check_approvals(file.with_approval(approve(file.plan, keys["ada"], signers)), signers) == (ADA,)


def test_an_unknown_key_and_a_missing_file_are_refused(keys: Mapping[str, Path], signers: Path, tmp_path: Path) -> None:
    """With the line that the file needs."""
    signers.write_text(allowed(keys["bob"], BOB))
    with pytest.raises(CommandError, match="is not among the allowed signers"):
        approve(planned(), keys["ada"], signers)
    with pytest.raises(CommandError, match=r"the file of allowed signers .* is missing; write a line"):
        approve(planned(), keys["ada"], tmp_path / "none")
    with pytest.raises(CommandError, match="cannot sign"):
        approve(planned(), tmp_path / "no-key", signers)


def test_an_approval_of_one_plan_is_none_of_another(keys: Mapping[str, Path], signers: Path) -> None:
    """Stack, cluster, expiry and content are signed."""
    envelope = approve(planned(), keys["ada"], signers)
    others = {
        "stack": planned(stack="beta"),
        "cluster": planned(cluster="cluster-2"),
        "expiry": planned(expires="2098-01-01T00:00:00+00:00"),
        "plan": planned(operations=()),
    }
    for part, plan in others.items():
        with pytest.raises(CommandError, match=f"is for another {part}"):
            check_approvals(PlanFile(plan, (envelope,)), signers)
    assert check_approvals(PlanFile(planned(), (envelope,)), signers) == (ADA,)


def step(op: str, kind: str, group: str = "apps", **spec: Any) -> dict[str, Any]:
    """A planned operation on an object."""
    inputs = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": kind.lower()}, "spec": {"a": 1}}
    new = {**inputs, "spec": {"a": 2, **spec}}
    states = {"type": f"kubernetes:{group}/v1:{kind}"}
    document: dict[str, Any] = {"op": op, "urn": f"urn:pulumi:alpha::alt-las::{states['type']}::{kind.lower()}"}
    if op != "create":
        document["oldState"] = {**states, "inputs": inputs}
    if op != "delete":
        document["newState"] = {**states, "inputs": new}
    return {**document, "detailedDiff": {"spec.a": {}}}


RULES = ReleaseSettings.model_validate_json(
    '{"approvals": {"capacity": 1, "feature": 2, "security": 3, "data": 4}, "automatic": true, "mostDeletions": 1}'
)
CASES = {
    "nothing": ([], 0, ""),
    "more replicas": (World().preview()["steps"], 0, ""),
    "a changed feature": ([step("update", "Deployment")], 0, ""),
    "a new object": ([step("create", "Deployment")], 0, ""),
    "a wider policy": ([step("update", "NetworkPolicy")], 3, "it changes a policy, NetworkPolicy networkpolicy"),
    "a deletion": ([step("delete", "Service")], 2, "it deletes or replaces Service service"),
    "a replacement": ([step("replace", "Deployment")], 2, "it deletes or replaces Deployment deployment"),
    "data": ([step("update", "StatefulSet")], 4, "it touches data"),
    "deleted data": ([step("delete", "PersistentVolumeClaim")], 4, "it deletes or replaces PersistentVolumeClaim"),
    "all of them": ([step("update", "Deployment"), step("update", "NetworkPolicy")], 3, "it changes a policy"),
}


@pytest.mark.parametrize(("steps", "needed", "reason"), CASES.values(), ids=CASES.keys())
def test_approvals_follow_the_class_of_the_changes(steps: list[dict[str, Any]], needed: int, reason: str) -> None:
    """A plan that is approved automatically needs none; without that rule, every change needs those of its class."""
    plan = engine_plan({"steps": steps})
    found = needed_approvals(RULES, plan)
    assert found[0] == needed
    assert found[1].startswith(reason) if reason else found[1] == ""
    strict = ReleaseSettings.model_validate_json('{"approvals": {"feature": 2, "data": 2}}')
    assert needed_approvals(strict, plan)[0] == max(
        ({"data": 2, "feature": 2}.get(each, 1) for each in plan.classes), default=0
    )


def test_a_plan_within_the_deletion_budget_passes_and_one_above_is_refused() -> None:
    """The message names the objects."""
    one, two = (
        engine_plan({"steps": [step("delete", kind) for kind in kinds]}) for kinds in (("Service",), ("Service", "Job"))
    )
    check_deletions(RULES, one.steps)
    with pytest.raises(CommandError, match=r"deletes or replaces 2 objects, and release\.mostDeletions allows 1: "):
        check_deletions(RULES, two.steps)
    check_deletions(ReleaseSettings(), two.steps)


def test_the_engine_s_plan_has_no_secret_and_no_generated_name() -> None:
    """A changed secret shows that it changed; a name that each preview generates is replaced everywhere."""
    secret = {"apiVersion": "v1", "kind": "Secret", "data": "[secret]"}
    metadata = {"namespace": "alt-las", "annotations": {"pulumi.com/autonamed": "true"}}
    urn = "urn:pulumi:alpha::alt-las::kubernetes:core/v1:Secret::keys"

    def preview(suffix: str) -> dict[str, Any]:
        old, new = ({**secret, "metadata": {**metadata, "name": f"keys-{each}"}} for each in ("1111", suffix))
        states = {"type": "kubernetes:core/v1:Secret"}
        replace = {"op": "replace", "urn": urn, "detailedDiff": {"data": {}}}
        user = {**deployment(2), "spec": {"secret": f"keys-{suffix}"}}
        update = {"op": "update", "urn": DEPLOYMENT_URN, "oldState": {"type": "kubernetes:apps/v1:Deployment"}}
        update["oldState"]["inputs"] = deployment(2)  # type: ignore[index]  # just made
        update["newState"] = {"type": "kubernetes:apps/v1:Deployment", "inputs": user}
        return {
            "steps": [{**replace, "oldState": {**states, "inputs": old}, "newState": {**states, "inputs": new}}, update]
        }

    one, other = engine_plan(preview("2222")), engine_plan(preview("3333"))
    assert one == other
    (_, replaced) = one.steps
    fields = {each.path: (each.before, each.after) for each in replaced.fields}  # type: ignore[union-attr]  # it has
    assert fields["data"] == ("[secret]", "[secret, another value]")
    assert fields["metadata.name"] == ("keys-1111", "keys-(generated)")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("create", "update", "replace", "delete", "delete-replaced", "create-replacement")),
            st.sampled_from(("Deployment", "Service", "NetworkPolicy", "Role", "StatefulSet", "PersistentVolumeClaim")),
        ),
        min_size=1,
        unique_by=lambda case: case[1],
    )
)
def test_no_plan_that_deletes_replaces_or_widens_is_approved_automatically(cases: list[tuple[str, str]]) -> None:
    """Whatever else is in it; a plan of harmless steps is."""
    needed, reason = needed_approvals(RULES, engine_plan({"steps": [step(*case) for case in cases]}))
    policy, data = {"NetworkPolicy", "Role"}, {"StatefulSet", "PersistentVolumeClaim"}
    harmless = all(op in ("create", "update") and kind not in policy | data for op, kind in cases)
    assert (needed == 0) == harmless
    assert bool(reason) != harmless
