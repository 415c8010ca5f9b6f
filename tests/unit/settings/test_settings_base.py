"""Rules that hold for every field of every settings model."""

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from components.settings import PlatformSettings, Settings
from components.settings.base import FIELD_CLASSES
from tests.support.documents import alpha_settings
from tests.support.settings_models import fields, leaf_fields, models_in

FIELDS = list(fields())
LEAVES = leaf_fields()
MODELS = sorted({PlatformSettings, *(m for _, f in FIELDS for m in models_in(f.annotation))}, key=str)


def test_the_walk_sees_the_whole_tree() -> None:
    """A walk that misses a branch would prove nothing; these are known leaves of each."""
    paths = {path for path, _ in LEAVES}
    assert len(paths) == len(LEAVES) >= 142
    assert paths >= {
        "namespace",
        "clusterUid",
        "ingress.host",
        "autoscaling.scaleUp.pods",
        "services.api-gateway.autoscaling.minReplicas",
        "services.segmentation-service.probes.livenessPath",
        "additionalCalls",
        "additionalCalls.callee",
    }


@pytest.mark.parametrize(("path", "field"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_leaf_is_described_and_has_one_of_the_five_classes(path: str, field: FieldInfo) -> None:
    """`altlas diff` reads the class, errors and editors show the description."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict), path
    assert extra["class"] in ("identity", "capacity", "feature", "security", "data")
    assert_is_a_sentence(field.description)


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_is_described_and_camel_case(path: str, field: FieldInfo) -> None:
    """Keys are written as in Kubernetes; the services by their own names."""
    assert_is_a_sentence(field.description)
    name = path.rpartition(".")[2]
    assert "_" not in name
    assert ("-" in name) is (name in alpha_settings().services.by_name())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_every_model_is_closed_read_only_and_silent_about_values(model: type[Settings]) -> None:
    """A model that forgets one of these would be the hole in all others."""
    config = model.model_config
    assert (config["extra"], config["frozen"], config["strict"]) == ("forbid", True, True)
    assert config["hide_input_in_errors"] is True


def test_the_classes_are_five_in_the_order_of_the_diff() -> None:
    """Identity first: it never moves."""
    assert FIELD_CLASSES == ("identity", "capacity", "feature", "security", "data")


def test_only_what_names_the_place_is_identity() -> None:
    """These stay with their stack in a transition; everything else moves."""
    extras = {path: field.json_schema_extra for path, field in LEAVES}
    identity = [path for path, extra in extras.items() if isinstance(extra, dict) and extra["class"] == "identity"]
    assert identity == [
        "namespace",
        "clusterUid",
        "ingress.host",
        "ingress.className",
        "ingress.tls.secretName",
        "ingress.listeners.http",
        "ingress.listeners.https",
    ]


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    """Neither at the top nor below."""
    settings = alpha_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.namespace = "other"  # type: ignore[misc]  # mypy refuses it as well
    with pytest.raises(ValidationError, match="frozen"):
        settings.services.api_gateway.image.tag = "other"  # type: ignore[misc]  # mypy refuses it as well


def assert_is_a_sentence(description: str | None) -> None:
    """Begins with a capital letter, ends with a full stop, and says something."""
    assert description is not None
    assert description[0].isupper()
    assert description.endswith(".")
    assert len(description) > 8
