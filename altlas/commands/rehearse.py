"""The command `altlas rehearse`."""

import json
import os
from dataclasses import asdict

import typer

from altlas.commands.options import FromSide, JsonOption, ToSide
from altlas.release.checkout import person
from altlas.release.ledger import ledger_of
from altlas.release.rehearsal import Rehearsal
from altlas.release.rehearsal import rehearse as run_rehearsal
from altlas.release.sides import side
from altlas.release.text import effort, step_name, subject
from altlas.session.console import report, workspace
from altlas.session.table import table_text
from rendering.errors import CommandError

_NOT_PROVEN = "Not proven here: pods are simulated, so neither the data of stores nor the start of a service was tried."


def rehearse(before: FromSide, after: ToSide, *, as_json: JsonOption = False) -> None:
    """Try a change and its inverse on a scratch cluster: FROM up, TO applied and ready, back to FROM, compared.

    The cluster is a simulated one that the command starts and removes; no other cluster, state or secret is touched.
    Ends with 1 if an update did not converge, or if something did not come back although no step says so.
    """
    here = workspace()
    sides = side(here, before), side(here, after)
    ledger = ledger_of(here, sides[0].stack, os.environ)
    ledger.entries()
    log = here.private / "rehearsal.log"
    found = run_rehearsal(here, *sides, log, report)
    ledger.append("rehearse", person(here.root), found.facts)
    typer.echo(json.dumps(_document(found), indent=2) if as_json else _text(found))
    if not found.is_good:
        raise CommandError(f"the rehearsal of {found.change.before} to {found.change.after} failed; log: {log}")


def _text(found: Rehearsal) -> str:
    rows = [(each.name, f"{each.seconds:.0f} s", "failed" if each.problem else "ready") for each in found.phases]
    parts = [table_text(("UPDATE", "TIME", "RESULT"), rows)]
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


def _document(found: Rehearsal) -> dict[str, object]:
    return {
        **found.facts,
        "phases": [asdict(each) for each in found.phases],
        "left": [asdict(each) for each in found.left],
        "warnings": [{"step": step_name(each), "subject": subject(each), "undo": each.undo} for each in found.warnings],
        "notProven": _NOT_PROVEN,
    }
