"""Messages about unusable settings: where, what, and what would be right."""

from typing import Any

import pytest

from components.settings import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError
from tests.support.documents import REMOVED, alpha_with, only_problem, platform_of, problems_of
from tests.support.settings_models import leaf_fields

GATEWAY = "services.api-gateway"


def test_an_unknown_key_is_named_with_the_right_one_and_all_that_are_known_there() -> None:
    """The usual typo; the value is not repeated, for it could be a secret in the wrong place."""
    path, message = only_problem(alpha_with({"namespce": "hidden-value"}))
    assert path == "namespce"
    assert message == (
        "is not a known key; did you mean 'namespace'? Known here: "
        f"{', '.join(str(field.alias) for field in PlatformSettings.model_fields.values())}"
    )


def test_an_unknown_key_deep_inside_gets_the_keys_of_its_own_block() -> None:
    """Not those of another block."""
    path, message = only_problem(alpha_with({f"{GATEWAY}.resources.limits.memry": "hidden-value"}))
    assert path == f"{GATEWAY}.resources.limits.memry"
    assert message == "is not a known key; did you mean 'memory'? Known here: cpu, memory"


def test_an_unknown_key_in_an_optional_block_or_a_list_is_found_too() -> None:
    """The model stands in a union or a tuple there."""
    path, message = only_problem(alpha_with({f"{GATEWAY}.autoscaling.maxReplica": 1}))
    assert path == f"{GATEWAY}.autoscaling.maxReplica"
    assert "did you mean 'maxReplicas'?" in message
    call = {"caller": "api-gateway", "callee": "runner-service", "port": "hidden-value"}
    path, message = only_problem(alpha_with({"additionalCalls": [call]}))
    assert (path, message) == ("additionalCalls[0].port", "is not a known key; Known here: caller, callee")


def test_a_python_name_is_not_a_key() -> None:
    """One spelling for each key: the one of the schema."""
    path, message = only_problem(alpha_with({f"{GATEWAY}.run_as_user": 2000}))
    assert path == f"{GATEWAY}.run_as_user"
    assert "did you mean 'runAsUser'?" in message


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("namespace", 5, "must be text; put it in quotes"),
        (f"{GATEWAY}.resources.limits.cpu", 1, "must be text; put it in quotes"),
        (f"{GATEWAY}.port", "3000", "must be a whole number"),
        (f"{GATEWAY}.port", 3000.5, "must be a whole number"),
        (f"{GATEWAY}.port", True, "must be a whole number"),
        (f"{GATEWAY}.autoscaling.scaleOnMemory", "yes", "must be true or false"),
        ("additionalCalls", {}, "must be a list"),
        ("ingress", "alt-las.local", "must be a block of keys"),
        (f"{GATEWAY}.image", None, "must be a block of keys"),
        ("services", [], "must be a block of keys"),
    ],
)
def test_a_wrong_type_is_named_with_the_right_one(key: str, value: Any, wanted: str) -> None:
    """Nothing is guessed: text that looks like a number stays text."""
    assert only_problem(alpha_with({key: value})) == (key, f"has the wrong type; it {wanted}")


@pytest.mark.parametrize("key", ["namespace", "ingress", "services.archive-service", f"{GATEWAY}.image.tag"])
def test_a_missing_key_is_explained_by_its_description(key: str) -> None:
    """So that the reader knows what to write there."""
    path, message = only_problem(alpha_with({key: REMOVED}))
    assert path == key
    assert message.startswith("is missing; it says: ")
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (f"{GATEWAY}.port", 80, "should be greater than or equal to 1024"),
        (f"{GATEWAY}.port", 65536, "should be less than or equal to 65535"),
        (f"{GATEWAY}.runAsUser", 0, "should be greater than or equal to 1000"),
        (f"{GATEWAY}.logLevel", "loud", "should be 'debug', 'info', 'warn' or 'error'"),
        ("autoscaling.cpuUtilizationPercent", 101, "should be less than or equal to 100"),
    ],
)
def test_a_value_out_of_bounds_is_told_the_bound(key: str, value: Any, message: str) -> None:
    """Root and privileged ports are out of bounds, too."""
    assert only_problem(alpha_with({key: value})) == (key, message)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """In the order of the settings, one line each, under one headline."""
    document = alpha_with(
        {"namespace": "No", f"{GATEWAY}.port": "x", f"{GATEWAY}.image.tag": REMOVED, "hosts": "hidden-value"}
    )
    with pytest.raises(SettingsError) as caught:
        parse_platform(document)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 problems in the stack configuration, nothing was changed:"
    assert [line.split(": ")[0] for line in lines[1:]] == [
        "  alt-las:platform.namespace",
        f"  alt-las:platform.{GATEWAY}.image.tag",
        f"  alt-las:platform.{GATEWAY}.port",
        "  alt-las:platform.hosts",
    ]
    assert "hidden-value" not in str(caught.value)


def test_one_problem_is_counted_in_the_singular() -> None:
    """The headline is read aloud in the terminal."""
    error = SettingsError((Problem("alt-las:platform.namespace", "is missing"),))
    assert str(error) == (
        "1 problem in the stack configuration, nothing was changed:\n  alt-las:platform.namespace: is missing"
    )


@pytest.mark.parametrize("document", [None, [], "text", 5, True])
def test_a_document_that_is_no_block_is_refused_as_a_whole(document: object) -> None:
    """The path is the platform's own key."""
    assert only_problem(document) == ("", "has the wrong type; it must be a block of keys")


def test_an_empty_document_lacks_all_that_has_no_default() -> None:
    """Namespace, ingress, autoscaling and services; rollout and calls have defaults."""
    assert [problem.path.partition(".")[2] for problem in problems_of({})] == [
        "namespace",
        "ingress",
        "autoscaling",
        "services",
    ]
    assert parse_platform(platform_of("alpha")).rollout.timeout_seconds == 900


def _problems_at(path: str, value: str) -> list[str]:
    """Messages about one key of a document that has no other."""
    document: Any = value
    for key in reversed(path.split(".")):
        document = {key: document}
    return [each.message for each in problems_of(document) if each.path == f"{PLATFORM_KEY}.{path}"]


def test_a_wrong_form_is_answered_with_an_example_and_never_with_a_regular_expression() -> None:
    """For every key outside of lists; what is offered as an example is accepted."""
    told = {path: message for path, _ in leaf_fields() for message in _problems_at(path, "\n")}
    assert [path for path, message in told.items() if "pattern" in message] == []
    forms = {path: message for path, message in told.items() if message.startswith("has the wrong form; write one")}
    assert len(forms) > 40
    assert "such as alt-las-backups. It says: Bucket, which must exist." in forms["backup.objectStore.bucket"]
    examples = {path: message.partition("such as ")[2].partition(". It says")[0] for path, message in forms.items()}
    assert [path for path, example in examples.items() if _problems_at(path, example)] == []
