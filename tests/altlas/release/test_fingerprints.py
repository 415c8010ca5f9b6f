"""Fingerprints of secrets: keyed, equal for equal values, and never the value."""

import json

from altlas.release.fingerprints import concealed, fingerprint


def secret(**values: str) -> dict[str, object]:
    """A Secret with these values."""
    return {"kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "stringData": values}


def test_values_of_a_secret_are_fingerprints_and_its_keys_stay() -> None:
    """Equal values have equal fingerprints, others do not; the value is nowhere."""
    shown = concealed(secret(a="canary", b="canary", c="other"), b"key")
    values = shown["stringData"]
    assert values["a"] == values["b"] != values["c"]
    assert list(values) == ["a", "b", "c"]
    assert shown["type"] == "Opaque"
    assert "canary" not in json.dumps(shown)


def test_an_encrypted_block_of_the_state_is_one_fingerprint() -> None:
    """Nothing of it is printed."""
    shown = concealed({"kind": "Secret", "data": "v1:canary"}, b"key")
    assert shown["data"] == fingerprint("v1:canary", b"key")


def test_the_fingerprint_depends_on_the_key() -> None:
    """So that nobody without the key finds a short password by trying."""
    assert fingerprint("1234", b"one") != fingerprint("1234", b"two")
    assert fingerprint("1234", b"one") == fingerprint("1234", b"one") == "hmac:b0cd24606cf2"


def test_other_objects_are_shown_as_they_are() -> None:
    """A ConfigMap holds no secrets; a rule of the program's policies sees to that."""
    manifest = {"kind": "ConfigMap", "data": {"a": "b"}}
    assert concealed(manifest, b"key") == manifest
