"""The tables of commands: groups of the help, earlier names, one convention for the stack, and what is imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperArgument

from altlas.cli import COMMANDS, RENAMED
from altlas.commands import stack
from altlas.commands.lazy import Entry
from tests.support.documents import ROOT

Altlas = Callable[..., Any]
ENTRIES = {**COMMANDS, **{f"stack {name}": entry for name, entry in stack.COMMANDS.items()}}


def test_the_help_lists_everyday_commands_first(altlas: Altlas) -> None:
    """Every group of the help has a heading; earlier names are hidden."""
    shown = altlas("--help").out
    headings = ["Everyday", "Phases and releases", "Data", "Security", "Images", "Cluster"]
    places = [shown.index(f"─ {heading} ─") for heading in headings]
    assert places == sorted(places)
    listed = [line.split()[1] for line in shown[places[0] :].splitlines() if line.startswith("│ ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert not set(listed) & RENAMED.keys()


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("backup", "--help"), ("stack", "--help")])
def test_version_and_help_end_well(altlas: Altlas, arguments: tuple[str, ...]) -> None:
    """They print and change nothing."""
    done = altlas(*arguments)
    assert (done.code, done.error) == (0, "")
    assert "altlas" in done.out


def test_help_and_completion_import_no_command() -> None:
    """Pydantic, Pulumi and cryptography take a second to import."""
    code = (
        "import sys; from altlas.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'pulumi', 'cryptography', 'yaml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_comparison_of_stacks_loads_no_cluster() -> None:
    """Certificates, images of nodes and the engine were a tenth of its time."""
    code = (
        "import sys; from altlas.commands import diff; from altlas.release import show\n"
        "late = {'altlas.session.engine', 'cluster.control_plane', 'cluster.node', 'tools'}\n"
        "print(sorted(late & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("module", "most"), [("altlas.commands.diff", 240), ("altlas.release.show", 830), ("rendering.__main__", 700)]
)
def test_what_a_comparison_loads_is_counted(module: str, most: int) -> None:
    """Loading takes most of its second; the objects of one side are recorded meanwhile, in the second process."""
    code = f"import sys, {module}; print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert most * 0.8 < int(done.stdout) <= most, "name the new figure here, where it is meant"


@pytest.mark.parametrize("entry", ENTRIES.items(), ids=lambda entry: entry[0])
def test_every_entry_of_a_table_is_a_command(entry: tuple[str, Entry]) -> None:
    """Its module exists and its help is a sentence."""
    name, found = entry
    assert found.load(name.split()[-1]).help
    assert found.summary.endswith(".")


def test_arguments_are_named_in_capitals() -> None:
    """As in the texts of the help, which say STACK, FROM and TO."""
    members: dict[str, Any] = {}
    for name, entry in ENTRIES.items():
        command: Any = entry.load(name.split()[-1])
        members |= {f"{name} {word}": each for word, each in getattr(command, "commands", {"": command}).items()}
    arguments = [
        (name, each.metavar or each.name)
        for name, member in members.items()
        for each in member.params
        if isinstance(each, TyperArgument)
    ]
    assert len(arguments) > 30
    assert [each for each in arguments if each[1] != each[1].upper()] == []


@pytest.mark.parametrize("name", RENAMED)
def test_an_earlier_name_works_and_says_the_present_one(altlas: Altlas, name: str) -> None:
    """One line on standard error; the help that follows is that of the command."""
    done, now = altlas(name, "--help"), altlas(*RENAMED[name].split(), "--help")
    assert (done.code, now.code) == (0, 0)
    assert done.error == f"`altlas {name}` is now `altlas {RENAMED[name]}`\n"
    assert done.out.splitlines()[4:] == now.out.splitlines()[4:]


@pytest.mark.parametrize(
    "arguments",
    [
        ("up",),
        ("status",),
        ("destroy",),
        ("secrets", "init"),
        ("secrets", "reset"),
        ("backup", "list", "redis"),
        ("backup", "fetch", "redis"),
        ("backup", "drill", "redis"),
        ("backup", "restore", "redis", "--backup", "20260131T010000Z", "--into", "look"),
    ],
    ids="-".join,
)
def test_the_stack_is_an_argument_or_an_option(altlas: Altlas, arguments: tuple[str, ...]) -> None:
    """Both forms name the same stack; two different stacks are bad input."""
    position = 3 if arguments[0] == "backup" else len(arguments)
    named = altlas(*arguments[:position], "gamma", *arguments[position:])
    optional = altlas(*arguments, "--stack", "gamma")
    assert (named.code, optional.code) == (2, 2)
    assert "Pulumi.gamma.yaml: the stack file is missing" in named.error
    assert named.error == optional.error
    both = altlas(*arguments[:position], "alpha", *arguments[position:], "-s", "beta")
    assert (both.code, both.error) == (
        2,
        "error: two stacks are named: alpha and --stack beta; name one. Nothing was changed\n",
    )


def test_a_rotation_takes_the_stack_before_the_secrets(altlas: Altlas) -> None:
    """No secret is called like a stack."""
    done = altlas("secrets", "rotate", "beta", "openaiApiKey")
    assert done.error.startswith("error: 'openaiApiKey' cannot be rotated")
    without = altlas("secrets", "rotate", "beta")
    assert without.code == 2
    assert "name at least one secret" in without.error
    misspelt = altlas("secrets", "rotate", "bata", "natsRunnerPassword")
    assert (misspelt.code, "'bata' is neither a stack nor a secret" in misspelt.error) == (2, True)


@pytest.mark.parametrize(("command", "stack", "code"), [("rules", "alpha", 0), ("matrix", "gamma", 2)])
def test_a_check_ends_as_the_policies_do(altlas: Altlas, command: str, stack: str, code: int) -> None:
    """They run in a process of their own, whose exit code is passed on."""
    assert altlas("check", command, stack).code == code


def test_a_check_reads_the_stack_files_of_the_named_checkout(altlas: Altlas, checkout: Path) -> None:
    """As every command does: a stack that is only there is checked, and one that is only beside this program is not."""
    file = checkout / "Pulumi.alpha.yaml"
    file.rename(checkout / "Pulumi.gamma.yaml")
    assert [altlas("check", "rules", stack).code for stack in ("gamma", "alpha")] == [0, 2]
