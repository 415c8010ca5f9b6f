"""The typed difference of two stacks."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from altlas.release.settings_diff import as_document, as_text, compare, leaves
from altlas.release.steps import ChangeSetting
from components.settings.base import FIELD_CLASSES, FieldClass
from tests.support.documents import alpha_settings

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "namespace": st.sampled_from(["alt-las", "other", "third"]),
        "ingress.controllerNamespace": st.sampled_from(["kube-system", "traefik"]),
        "autoscaling.scaleUp.pods": st.none() | st.integers(1, 9),
        "services.runner-service.image.tag": st.sampled_from(["1", "2"]),
        "services.runner-service.autoscaling": st.sampled_from(
            [{"minReplicas": 1, "maxReplicas": 2}, {"minReplicas": 1, "maxReplicas": 3, "scaleOnMemory": False}]
        ),
        "services.api-gateway.runAsUser": st.integers(1000, 1002),
        "additionalCalls": st.sampled_from([[], [{"caller": "runner-service", "callee": "archive-service"}]]),
    },
)


def found(before: dict[str, Any], after: dict[str, Any]) -> tuple[ChangeSetting, ...]:
    """Differences between two variants of alpha."""
    return compare(alpha_settings(before), alpha_settings(after))


@given(CHANGES)
def test_a_stack_does_not_differ_from_itself(changes: dict[str, Any]) -> None:
    """Read twice from the same file, it is the same."""
    assert found(changes, changes) == ()


@given(CHANGES, CHANGES)
def test_swapping_the_stacks_swaps_from_and_to(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The way back says the same about the same fields."""
    there = {(d.field, d.before, d.after, d.decision) for d in map(hashable, found(one, other))}
    back = {(d.field, d.after, d.before, d.decision) for d in map(hashable, found(other, one))}
    assert there == back


@given(CHANGES, CHANGES)
def test_differences_are_grouped_by_class(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Identity first, and only classes that exist."""
    order = [FIELD_CLASSES.index(d.decision) for d in found(one, other)]
    assert order == sorted(order)


def changed(field: str, before: Any, after: Any, decision: FieldClass) -> ChangeSetting:
    """A change that its inverse takes back."""
    return ChangeSetting(field=field, before=before, after=after, decision=decision)


def hashable(change: ChangeSetting) -> ChangeSetting:
    """The same difference with values that can stand in a set."""
    return changed(change.field, str(change.before), str(change.after), change.decision)


def test_a_changed_field_is_named_with_both_values_and_its_class() -> None:
    """And nothing else is named."""
    assert found({}, {"services.runner-service.image.tag": "2"}) == (
        changed("services.runner-service.image.tag", "1.0.0-alpha", "2", "feature"),
    )


def test_a_block_that_only_one_stack_has_is_unset_in_the_other() -> None:
    """Such as the autoscaler of a service with a fixed number of pods."""
    fixed = {"services.runner-service.autoscaling": None, "services.runner-service.replicas": 3}
    path = "services.runner-service"
    assert set(found({}, fixed)) == {
        changed(f"{path}.replicas", None, 3, "capacity"),
        changed(f"{path}.autoscaling.minReplicas", 2, None, "capacity"),
        changed(f"{path}.autoscaling.maxReplicas", 8, None, "capacity"),
        changed(f"{path}.autoscaling.scaleOnMemory", True, None, "capacity"),
    }


def test_a_default_that_is_written_out_is_no_difference() -> None:
    """Only what the program gets counts."""
    assert found({}, {"services.runner-service.runAsUser": 10001, "rollout": {"timeoutSeconds": 900}}) == ()


def test_a_table_is_one_field() -> None:
    """Additional calls differ as a whole, as plain data."""
    call = {"caller": "runner-service", "callee": "archive-service"}
    assert found({}, {"additionalCalls": [call]}) == (changed("additionalCalls", [], [call], "security"),)


def test_every_leaf_of_a_stack_has_one_of_the_five_classes() -> None:
    """Each path once."""
    paths = [path for path, _ in leaves(alpha_settings())]
    assert len(paths) == len(set(paths)) > 120
    assert {leaf.field_class for _, leaf in leaves(alpha_settings())} <= set(FIELD_CLASSES)


def test_the_text_is_grouped_aligned_and_says_what_stays() -> None:
    """One line a field; unset and truth values as in YAML."""
    differences = found(
        {}, {"namespace": "x", "autoscaling.scaleUp.pods": 4, "services.segmentation-service.spacyEnabled": True}
    )
    assert as_text(differences, "alpha", "other").splitlines() == [
        "alpha -> other: 3 settings differ",
        "",
        "identity (1, stays with its stack)",
        "  namespace                                   alt-las -> x",
        "",
        "capacity (1)",
        "  autoscaling.scaleUp.pods                    unset -> 4",
        "",
        "feature (1)",
        "  services.segmentation-service.spacyEnabled  false -> true",
    ]
    assert as_text((), "alpha", "beta") == "alpha and beta have the same settings\n"


def test_a_difference_as_a_document_has_the_words_of_the_command() -> None:
    """Scripts read `altlas stack diff --json`."""
    assert as_document(changed("namespace", "a", "b", "identity")) == {
        "field": "namespace",
        "from": "a",
        "to": "b",
        "class": "identity",
    }
