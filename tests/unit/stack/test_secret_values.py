"""Gate: a secret that a person sets works in every place where it is used, or is refused by its name."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pulumi
import pytest

from components.settings import secret_forms
from components.settings.secrets import SECRETS, SecretSetting
from components.stack import configuration
from rendering.recorder import record
from tests.support.documents import platform_of
from tests.support.program import full_configuration

SETTABLE = {secret.key: secret for secret in SECRETS}
BUCKET = {"endpoint": "https://s3.example.com", "bucket": "bucket"}
NASTY = {
    "of URLs": "p@ss/wo?rd-of-length-",
    "hash and colon": "pa:ss#word-of-length-",
    "percent": "pass%word-of-length-",
    "of shells": "pass$word${x}{{y}}-of-length-",
    "quotes": "pass\"wo'rd-of-length-",
    "backslash": "pass\\word-of-length-",
    "space and letters": "pässwörd of-length-",
    "line break": "pass\nword-of-length-",
    "too long": "x" * 80,
}
"""Beginnings of values; the secret's key follows, so that each value is found again."""

USED_AS_IT_IS = re.compile(r"[A-Za-z0-9._~-]*")


@pytest.mark.parametrize("kind", NASTY)
def test_a_value_works_wherever_it_is_used_or_is_refused_by_name(kind: str) -> None:
    """First all secrets at once; then those that were not refused, in every place of every Secret."""
    values = {key: NASTY[kind] + key for key in SETTABLE}
    refused = refused_keys(values)
    assert {key for key, secret in SETTABLE.items() if secret.form.endswith("url")} <= refused
    taken = values | {key: text for key, text in usable().items() if key in refused}
    places = list(misread(objects_of(taken), {key: taken[key] for key in SETTABLE.keys() - refused}))
    assert places == []


def test_usable_values_are_refused_nowhere_and_generated_ones_are_usable() -> None:
    """The control run: the values of all other tests, and the alphabet in which secrets are generated."""
    assert refused_keys(usable()) == set()
    for secret in SECRETS:
        if secret.generated_bytes:
            assert secret_forms.problem_of(secret.form, "aZ0-_" * 13) is None


@pytest.mark.parametrize("kind", ["of URLs", "hash and colon", "quotes", "backslash"])
def test_without_the_refusal_a_value_is_misread_somewhere(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate sees what the refusal prevents."""
    monkeypatch.setattr(configuration, "problem_of", lambda *_: None)
    values = usable() | {key: NASTY[kind] + key for key, secret in SETTABLE.items() if secret.form == "password"}
    assert list(misread(objects_of(values), values)) != []


@pytest.mark.parametrize("form", ["redis url", "nats url", "postgres url", "web url"])
@pytest.mark.parametrize(
    ("rest", "usable"),
    [
        ("://user:p%40ss@host:6379/0", True),
        ("://host", True),
        ("://user:p@ss@host", False),
        ("://user:12/3@host", False),
        ("://user:p#3@host", False),
        ("://user:100%@host", False),
        ("://user:pass@host:port", False),
        ("://", False),
        ("://ho st", False),
        (":host", False),
    ],
)
def test_an_address_is_a_whole_url_of_its_kind(form: secret_forms.Form, rest: str, *, usable: bool) -> None:
    """Special characters are written as hexadecimal digits, and the message says so."""
    scheme = {"redis url": "redis", "nats url": "nats", "postgres url": "postgresql", "web url": "https"}[form]
    problem = secret_forms.problem_of(form, scheme + rest)
    assert (problem is None) is usable
    assert usable or "such as %40 for @" in str(problem)
    assert secret_forms.problem_of(form, "ftp" + rest) is not None


def test_several_servers_of_nats_are_one_address() -> None:
    """As its client takes them."""
    assert secret_forms.problem_of("nats url", "nats://u:p@a:4222,nats://u:p@b:4222") is None
    assert secret_forms.problem_of("nats url", "nats://u:p@a:4222,b:4222") is not None


@pytest.mark.parametrize(("length", "usable"), [(15, False), (16, True), (72, True), (73, False)])
def test_a_password_is_long_enough_for_cheap_hashes_and_short_enough_for_bcrypt(length: int, *, usable: bool) -> None:
    """Both limits are said."""
    problem = secret_forms.problem_of("password", "x" * length)
    assert (problem is None) is usable
    assert usable or problem == f"has {length} characters; use 16 to 72"


def usable() -> dict[str, str]:
    """A usable value of every secret."""
    return {key.partition(":")[2]: value for key, value in full_configuration("alpha").items() if "platform" not in key}


def objects_of(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Objects of a stack that has everything, and of one that brings the addresses of its stores."""
    document = platform_of("beta")
    document["backup"]["objectStore"], document["loki"]["objectStore"] = BUCKET, {**BUCKET, "since": "2026-01-01"}
    found = record("beta", document, values).objects
    bare = {key: value for key, value in platform_of("alpha").items() if key in BARE}
    return found + record("alpha", bare, values).objects


BARE = {"namespace", "ingress", "autoscaling", "services"}


def refused_keys(values: Mapping[str, str]) -> set[str]:
    """Secrets that the program names as unusable; no message holds a value."""
    said = ""
    try:
        objects_of(values)
    except pulumi.RunError as error:
        said = str(error)
    assert not [value for value in values.values() if value in said]
    return {key for key in SETTABLE if f"alt-las:{key}: " in said}


def misread(objects: list[dict[str, Any]], values: Mapping[str, str]) -> Iterator[str]:
    """Places in Secrets where a value stands and is read back as something else."""
    for manifest in objects:
        if manifest["kind"] == "Secret":
            for name, text in (manifest.get("stringData") or {}).items():
                for key, value in values.items():
                    if value in text and not reads_back(text, value, SETTABLE[key]):
                        yield f"{key} in {manifest['metadata']['name']} {name}"


def reads_back(text: str, value: str, secret: SecretSetting) -> bool:
    """True if a reader of a variable, file, URL or JSON document gets the value again."""
    if text == value:
        # Shells and programs that read a file drop line breaks at its end; a variable of a process has no NUL.
        return value == value.strip() and "\n" not in value
    if text.startswith("{"):
        return value in set(leaves(json.loads(text)))
    if "://" in text:
        return unquote(password_in(text)) == value
    # Any other text, such as a configuration file: only what no syntax reads as its own.
    return bool(USED_AS_IT_IS.fullmatch(value)) and secret.form == "password"


def password_in(text: str) -> str:
    """Password of a URL; nothing where it is none."""
    try:
        url = urlsplit(text)
        return (url.password or "") if url.hostname and url.port != 0 else ""
    except ValueError:
        return ""


def leaves(document: Any) -> Iterator[Any]:
    """All scalars of a JSON document."""
    if isinstance(document, dict | list):
        for each in document.values() if isinstance(document, dict) else document:
            yield from leaves(each)
    else:
        yield document
