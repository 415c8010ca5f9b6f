"""The command `altlas`: results on standard output, one message on standard error, and the exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack.loading import read_platform
from tests.support.documents import ROOT

Altlas = Callable[..., Any]


def test_stack_diff_prints_the_settings_for_people(altlas: Altlas) -> None:
    """The same text as on record, and nothing on standard error."""
    done = altlas("stack", "diff", "alpha", "beta")
    assert (done.code, done.error) == (0, "")
    assert done.out == (ROOT / "tests" / "stacks" / "alpha_to_beta.diff").read_text(encoding="utf-8")


def test_stack_diff_prints_the_settings_for_scripts(altlas: Altlas) -> None:
    """A list of objects with field, from, to and class."""
    done = altlas("stack", "diff", "alpha", "beta", "--json")
    listed = json.loads(done.out)
    assert (done.code, done.error) == (0, "")
    assert listed[0] == {"field": "namespace", "from": "alt-las", "to": "alt-las-beta", "class": "identity"}
    assert all(each.keys() == {"field", "from", "to", "class"} for each in listed)


def test_an_unknown_stack_is_bad_input(altlas: Altlas) -> None:
    """The stacks that exist are named."""
    done = altlas("diff", "alpha", "gamma")
    assert (done.code, done.out) == (2, "")
    assert done.error == (
        "error: 1 problem in the stack configuration, nothing was changed:\n"
        "  Pulumi.gamma.yaml: the stack file is missing; stack files in this folder: Pulumi.alpha.yaml, "
        "Pulumi.beta.yaml\n"
    )


@pytest.mark.parametrize("name", ["../alpha", "a b", "", "al/pha", "-"])
def test_a_name_that_cannot_be_a_stack_s_is_bad_input(altlas: Altlas, name: str) -> None:
    """Above all no path out of the checkout."""
    done = altlas("diff", "--", name, "beta")
    assert done.code == 2
    assert done.error == (
        f"error: {name!r} is not the name of a stack; use letters, digits, '.', '_' and '-', such as alpha\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "alpha", "beta"),
        ("stack", "render", "alpha", "--out", "rendered"),
        ("stack", "transition", "beta", "alpha", "--write"),
        ("status", "--stack", "alpha"),
        ("status", "alpha"),
        ("up", "--stack", "alpha"),
        ("destroy", "--stack", "alpha"),
        ("secrets", "init", "--stack", "alpha"),
    ],
    ids="-".join,
)
def test_bad_settings_stop_every_command_before_it_starts(
    altlas: Altlas, checkout: Path, arguments: tuple[str, ...]
) -> None:
    """No cluster, no program, no file; the key and the cure instead."""
    file = checkout / "Pulumi.alpha.yaml"
    file.write_text(file.read_text().replace("tag: 1.0.0-alpha", "tag: latest"))
    before = {path.name: path.read_bytes() for path in checkout.glob("*.yaml")}
    done = altlas(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("error: 5 problems in the stack configuration, nothing was changed:\n")
    assert (
        "services.api-gateway.image: registry.invalid/alt-las/api-gateway:latest can change under a running release"
        in done.error
    )
    assert {path.name: path.read_bytes() for path in checkout.glob("*.yaml")} == before
    assert not (checkout / ".altlas" / "sim").exists()


@pytest.mark.parametrize(
    "arguments", [("diff", "alpha"), ("nothing",), ("stack", "render", "alpha"), ("diff", "a", "b", "--x")]
)
def test_a_wrong_command_line_is_bad_input(altlas: Altlas, arguments: tuple[str, ...]) -> None:
    """The usage is shown."""
    done = altlas(*arguments)
    assert done.code == 2
    assert "Usage: altlas" in done.error


def test_render_writes_an_object_a_file(altlas: Altlas, tmp_path: Path) -> None:
    """And tells where; secret values are placeholders."""
    done = altlas("stack", "render", "alpha", "--out", str(tmp_path / "rendered"))
    assert (done.code, done.out) == (0, "")
    written = len(list((tmp_path / "rendered").glob("*.yaml")))
    assert written > 30
    assert done.error == (
        f"{written} objects of alpha are in {tmp_path / 'rendered'}. Secret values are placeholders.\n"
    )
    secret = yaml.safe_load((tmp_path / "rendered" / "secret-api-gateway-secrets.yaml").read_text())
    assert secret["stringData"]["JWT_SECRET"] == "<apiGatewayJwtSecret>"


def test_render_refuses_a_folder_that_is_not_its_own(altlas: Altlas, checkout: Path) -> None:
    """Such as the checkout itself."""
    done = altlas("stack", "render", "alpha", "--out", str(checkout))
    assert done.code == 2
    assert done.error == (
        f"error: {checkout} holds something else than an earlier rendering; name an empty or new folder\n"
    )
    assert (checkout / "Pulumi.alpha.yaml").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("render", "alpha"),
        ("compose", "alpha"),
        ("diagram",),
    ],
)
def test_a_file_where_a_folder_should_be_is_bad_input(altlas: Altlas, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Each command that fills a folder says so, and writes nothing."""
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    done = altlas("stack", *command, "--out", str(taken / "below"))
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(f"error: {taken}/below cannot be a folder (Not a directory); name another one")
    assert taken.read_text(encoding="utf-8") == "mine"


def test_transition_prints_the_file_and_writes_nothing(altlas: Altlas, checkout: Path) -> None:
    """So that it can be read, or piped into a diff."""
    before = (checkout / "Pulumi.alpha.yaml").read_text()
    done = altlas("stack", "transition", "alpha", "beta")
    assert (done.code, done.error) == (0, "")
    assert "frozen68/api-gateway, tag: beta.v9" in done.out
    assert "    namespace: alt-las\n" in done.out
    assert (checkout / "Pulumi.alpha.yaml").read_text() == before
    assert not (checkout / ".altlas").exists()


def test_transition_writes_what_it_would_print(altlas: Altlas, checkout: Path) -> None:
    """And says how to go on; afterwards only identity differs."""
    printed = altlas("stack", "transition", "alpha", "beta").out
    done = altlas("stack", "transition", "alpha", "beta", "--write")
    assert (done.code, done.out) == (0, "")
    assert done.error == (
        "Pulumi.alpha.yaml now has the settings of Pulumi.beta.yaml; deploy them with `pulumi up --stack alpha`.\n"
    )
    assert (checkout / "Pulumi.alpha.yaml").read_text() == printed
    assert read_platform(checkout / "Pulumi.alpha.yaml").namespace == "alt-las"
    assert altlas("stack", "diff", "alpha", "beta").out.startswith("alpha -> beta: 2 settings differ\n")


def test_schema_prints_the_schema(altlas: Altlas) -> None:
    """As `make schema` writes it."""
    done = altlas("stack", "schema")
    assert (done.code, json.loads(done.out)["title"]) == (0, "ALT_LAS stack file")


def test_secrets_reset_tells_what_it_removed(altlas: Altlas, checkout: Path) -> None:
    """And that there was nothing, where there was nothing."""
    file = checkout / "Pulumi.beta.yaml"
    plain = file.read_text()
    file.write_text(plain + "  alt-las:apiGatewayJwtSecret:\n    secure: v1:a\nencryptionsalt: v1:b\n")
    first, second = altlas("secrets", "reset", "-s", "beta"), altlas("secrets", "reset", "-s", "beta")
    assert (first.code, second.code) == (0, 0)
    assert first.error == "Removed from Pulumi.beta.yaml: alt-las:apiGatewayJwtSecret, encryptionsalt.\n"
    assert second.error == "Removed from Pulumi.beta.yaml: nothing.\n"
    assert file.read_text() == plain


def test_the_installed_command_ends_with_its_code_and_without_a_traceback(checkout: Path) -> None:
    """In a process of its own, as a script would see it."""
    for arguments, code in ((("diff", "alpha", "beta"), 0), (("diff", "alpha", "gamma"), 2)):
        done = subprocess.run(
            [sys.executable, "-c", "from altlas.cli import main; main()", *arguments],
            cwd=ROOT,
            env=os.environ | {"ALT_LAS_ROOT": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert "Traceback" not in done.stderr
