"""The command `altlas drift`."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from altlas.commands.options import JsonOption, StackArgument, StackOption, TargetOption, YesOption, one_stack
from altlas.release.checkout import person
from altlas.release.drift import Cause, DriftField, causes
from altlas.release.drift import drift as drift_of
from altlas.release.drift_ignores import Ignore, ignores_file, read_ignores, split
from altlas.release.drift_revert import revert
from altlas.release.ledger import ledger_of
from altlas.release.live_objects import applied_objects, deployed_objects, live_objects
from altlas.session.consent import Consent
from altlas.session.console import report, workspace
from altlas.session.session import Session, choose_target, engine_session
from altlas.session.table import table_text
from altlas.update.cluster_identity import state_on_its_cluster
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

_OBJECTS = 3


def drift(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    target: TargetOption = None,
    *,
    as_json: JsonOption = False,
    reverts: Annotated[bool, typer.Option("--revert", help="Take it back to the last update.")] = False,
    yes: YesOption = False,
) -> None:
    """Show what differs on the cluster from the last update: field, writer, since when; grouped by cause.

    Changes nothing without --revert. Ends with 1 if anything differs that Drift.STACK.yaml does not accept. Fields of
    autoscalers, operators and the API server's defaults do not count.
    """
    here, name = workspace(), one_stack(stack, stack_option)
    platform = read_platform(here.stack_file(name))
    ignores = read_ignores(ignores_file(here.root, name))
    session = engine_session(here, choose_target(here, target), report)
    state = state_on_its_cluster(session, name, platform)
    deployed = deployed_objects(state)
    if not deployed:
        raise CommandError(f"the stack {name} has no objects; deploy it by `altlas up {name}`", ExitCode.BAD_INPUT)
    found = drift_of(deployed, live_objects(session.kubectl, deployed, platform.namespace), applied_objects(state))
    counted, accepted, expired = split(found, ignores, datetime.now(UTC).date())
    if as_json:
        typer.echo(json.dumps(_document(name, counted, accepted), indent=2))
    else:
        typer.echo(_text(name, len(deployed), causes(counted), len(accepted), expired))
    if counted and reverts:
        with here.only_one(f"drift --revert --stack {name}"):
            Consent(yes or session.target.belongs_to_checkout).ask(f"Take back {_number(len(counted))}?")
            take_back(session, name, counted)
    elif counted:
        raise CommandError(f"{_number(len(counted))} from the last update of {name}")


def take_back(session: Session, stack: str, fields: list[DriftField]) -> None:
    """Revert drift, and record that in the ledger.

    Raises:
        CommandError: An update of the stack runs; nothing was changed. Or the cluster refuses.
    """
    ledger = ledger_of(session.workspace, stack, os.environ)
    ledger.entries()
    session.engine.check_unlocked(stack)
    state = json.loads(session.engine.capture("stack", "export", "--show-secrets", "--stack", stack))
    done = revert(session.kubectl, state, fields)
    writers = sorted({each.manager for each in fields if each.manager})
    ledger.append("drift", person(session.workspace.root), {"reverted": done, "writers": writers})
    report(f"As the last update left them again: {', '.join(done) or 'none'}.")
    if orphans := [each.object.title for each in fields if each.kind == "orphan"]:
        report(f"Left alone, because no update made them: {', '.join(orphans)}. Delete them by kubectl.")


def _text(stack: str, objects: int, found: tuple[Cause, ...], accepted: int, expired: list[Ignore]) -> str:
    number = sum(len(each.fields) for each in found)
    parts = [f"{stack}: {objects} objects, {_number(number)}, {accepted} accepted"]
    if found:
        rows = [(each.manager or "unknown", each.since or "unknown", _what(each), _where(each)) for each in found]
        parts.append(table_text(("WRITER", "SINCE", "DIFFERENCE", "OBJECTS"), rows))
        parts.append(
            f"Revert: `altlas drift {stack} --revert`. Adopt: write the value into the stack file or a component, then "
            f"`altlas up {stack}`. Accept until a day: Drift.{stack}.yaml."
        )
    for each in expired:
        parts.append(f"Accepted until {each.until}, which has passed: {each.object} {each.field} ({each.reason})")
    return "\n\n".join(parts)


def _number(differences: int) -> str:
    return "1 difference" if differences == 1 else f"{differences} differences"


def _what(cause: Cause) -> str:
    first = cause.fields[0]
    if not cause.path:
        return cause.kind
    values = {(str(each.wanted), str(each.found)) for each in cause.fields}
    shown = f": {_short(first.wanted)} -> {_short(first.found)}" if len(values) == 1 else ""
    return f"{cause.kind} {cause.path}{shown}"


def _where(cause: Cause) -> str:
    names = [each.object.title for each in cause.fields]
    more = f" and {len(names) - _OBJECTS} more" if len(names) > _OBJECTS else ""
    return ", ".join(names[:_OBJECTS]) + more


def _short(value: object) -> str:
    longest = 60
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _document(stack: str, counted: list[DriftField], accepted: list[DriftField]) -> dict[str, object]:
    return {
        "stack": stack,
        "drift": [asdict(each) for each in counted],
        "accepted": [asdict(each) for each in accepted],
    }
