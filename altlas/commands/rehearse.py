"""The command `altlas rehearse`."""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer

from altlas.commands.options import FromSide, JsonOption, TargetOption, ToSide
from altlas.release.checkout import person
from altlas.release.ledger import ledger_of
from altlas.release.live_objects import deployed_objects
from altlas.release.live_start import LiveCluster, LiveStart, read_live
from altlas.release.rehearsal import Rehearsal
from altlas.release.rehearsal import rehearse as run_rehearsal
from altlas.release.sides import Side, side
from altlas.release.text import effort, step_name, subject
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from altlas.session.table import table_text
from altlas.session.workspace import Workspace
from altlas.update.cluster_identity import state_on_its_cluster
from components.stack.loading import read_platform
from rendering.errors import CommandError, ExitCode

_NOT_PROVEN = "Not proven here: pods are simulated, so neither the data of stores nor the start of a service was tried."


def rehearse(
    before: FromSide,
    after: ToSide,
    *,
    live: Annotated[
        bool,
        typer.Option("--live", help="Start from the objects of the cluster that FROM runs on, which is only read."),
    ] = False,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a change and its inverse on a scratch cluster: FROM up, TO applied and ready, back to FROM, compared.

    The cluster is a simulated one that the command starts and removes; no other cluster, state or secret is changed.
    Ends with 1 if an update did not converge, or if something did not come back although no step says so.
    """
    if target is not None and not live:
        raise CommandError("--target names the cluster to read from; give --live as well", ExitCode.BAD_INPUT)
    here = workspace()
    sides = side(here, before), side(here, after)
    ledger = ledger_of(here, sides[0].stack, os.environ)
    ledger.entries()
    log = here.private / "rehearsal.log"
    real = _read(here, sides[0], target) if live else None
    found = run_rehearsal(here, *sides, log, report, live=real)
    ledger.append("rehearse", person(here.root), found.facts)
    typer.echo(json.dumps(_document(found), indent=2) if as_json else _text(found))
    if not found.is_good:
        raise CommandError(f"the rehearsal of {found.change.before} to {found.change.after} failed; log: {log}")


def _read(here: Workspace, before: Side, target: str | None) -> LiveCluster:
    platform = read_platform(before.file)
    session = engine_session(here, choose_target(here, target), report)
    deployed = deployed_objects(state_on_its_cluster(session, before.stack, platform))
    return read_live(session.kubectl, before.stack, deployed, platform.namespace)


def _text(found: Rehearsal) -> str:
    rows = [(each.name, f"{each.seconds:.0f} s", "failed" if each.problem else "ready") for each in found.phases]
    parts = [*_start(found.live)] if found.live else []
    parts.append(table_text(("UPDATE", "TIME", "RESULT"), rows))
    parts += [f"{each.name}: {each.problem}" for each in found.phases if each.problem]
    if found.left:
        left = [(each.object, f"{each.kind} {each.field}".strip(), each.why or "unknown") for each in found.left]
        parts.append("Did not come back\n" + table_text(("OBJECT", "WHAT", "WHY"), left))
    else:
        parts.append(f"All {found.objects} objects are as before.")
    if found.warnings:
        steps = [(step_name(each), subject(each), effort(each)) for each in found.warnings]
        parts.append("Not undone where there is data\n" + table_text(("STEP", "OBJECT OR SETTING", "TO UNDO"), steps))
    return "\n\n".join([*parts, _NOT_PROVEN])


def _start(live: LiveStart) -> list[str]:
    """Start of the rehearsal, and that the real cluster is as it was."""
    taken = [(each.object, each.what, each.writer or "unknown", each.problem or "taken over") for each in live.taken]
    parts = [table_text(("OBJECT", "OTHERWISE ON THE CLUSTER", "WRITER", "RESULT"), taken)] if taken else []
    if live.meanwhile:
        kept = f"changed by others meanwhile: {', '.join(live.meanwhile)}"
    else:
        kept = "unchanged: every resourceVersion is as before"
    return [f"Started from {live.objects} objects of the cluster, {kept}.", *parts]


def _document(found: Rehearsal) -> dict[str, object]:
    return {
        **found.facts,
        "phases": [asdict(each) for each in found.phases],
        "left": [asdict(each) for each in found.left],
        "warnings": [{"step": step_name(each), "subject": subject(each), "undo": each.undo} for each in found.warnings],
        "notProven": _NOT_PROVEN,
    }
