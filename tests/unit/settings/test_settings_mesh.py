"""Settings of the mesh."""

import pytest

from tests.support.documents import alpha_settings, alpha_with, only_problem


def test_there_is_no_mesh_unless_a_stack_asks_for_it() -> None:
    """A cluster without Istio must do."""
    assert not alpha_settings().mesh.is_on
    assert alpha_settings({"mesh.mode": "ambient"}).mesh.is_on


@pytest.mark.parametrize(
    ("key", "value"), [("mode", "sidecar"), ("trustDomain", "Cluster Local"), ("ingressServiceAccount", "a.b")]
)
def test_what_istio_does_not_know_is_refused(key: str, value: str) -> None:
    """Sidecars included: their containers would not be admitted here."""
    assert only_problem(alpha_with({f"mesh.{key}": value}))[0] == f"mesh.{key}"
