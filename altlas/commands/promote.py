"""The command `altlas promote`."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from altlas.commands.options import FromStack, TargetOption, ToStack, said
from altlas.images.findings import EXCEPTIONS_NAME, read_exceptions
from altlas.images.retire import RECORD_NAME, retired_images
from altlas.images.signatures import signatures
from altlas.release.checkout import person
from altlas.release.deployments import deployments
from altlas.release.ledger import Ledger, ledger_of
from altlas.release.promotion import Promotion, candidate, holds, promotion, write
from altlas.release.promotion_checks import (
    failing_scans,
    held,
    old_backups,
    other_images,
    other_versions,
    short_soak,
    unsafe_images,
    weaker_security,
)
from altlas.release.seal import program_files
from altlas.release.settings_diff import as_text
from altlas.release.verified_set import addon_versions
from altlas.session.console import report, workspace
from altlas.session.session import choose_target, engine_session
from altlas.session.workspace import Workspace
from altlas.update.cluster_identity import state_on_its_cluster
from rendering.errors import CommandError, ExitCode


def promote(
    source: FromStack,
    into: ToStack,
    *,
    write_files: Annotated[bool, typer.Option("--write", help="Write the lock and the stack file.")] = False,
    clear_hold: Annotated[
        str | None, typer.Option(metavar="STACK/ENTRY", help="End the hold on a release that was rolled back.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Reason for --clear-hold, for the ledger.", callback=said)
    ] = None,
    target: TargetOption = None,
) -> None:
    """Move what ran together in one stack into another one: images, settings, versions of addons and APIs.

    Refuses weaker security, images that are retired, unsigned or have failing scans, old backups and restore tests, a
    short soak, and a release that a person has rolled back. Prints what changes; --write writes it, to be planned.
    """
    here = workspace()
    ledgers = {stack: ledger_of(here, stack, os.environ) for stack in (source, into)}
    if clear_hold is not None:
        _clear(here, ledgers, into, clear_hold, reason)
        return
    here.create()
    found = candidate(here, ledgers[source], source)
    made = promotion(here, found, into)
    problems = [*_problems(here, made, ledgers, target)]
    if problems:
        lines = "".join(f"\n  {each}" for each in problems)
        raise CommandError(
            f"release {found.release} of {source} cannot be promoted to {into}. Nothing was changed:{lines}",
            ExitCode.REFUSED,
        )
    typer.echo(as_text(made.changes, into, f"{source}/{found.release}"), nl=False)
    if write_files:
        with here.only_one(f"promote {source} {into}"):
            by = person(here.root)
            lock = write(here, made, by)
            body = {"from": source, "release": found.release, "set": lock["set"]}
            entry = ledgers[into].append("promote", by, body)
        report(
            f"Wrote the lock and the stack file of {into}: entry {entry.number} of its ledger. Next: "
            f"`altlas plan {into} -o FILE`."
        )


def _problems(here: Workspace, made: Promotion, ledgers: dict[str, Ledger], target: str | None) -> Iterator[str]:
    """Everything that speaks against a promotion."""
    found, now, limits = made.candidate, datetime.now(UTC), made.before.release.promotion
    yield from held(found.found, holds(ledgers))
    yield from other_versions((found.program, program_files(here.root)), (found.addons, addon_versions()), found.stack)
    yield from other_images(found.found.images, made.after)
    yield from unsafe_images(
        found.found.images,
        found.lock,
        retired_images(here.root / RECORD_NAME),
        signatures(here.root / limits.signing_key),
    )
    yield from failing_scans(found.lock, read_exceptions(here.root / EXCEPTIONS_NAME), now)
    yield from weaker_security(made.changes)
    yield from short_soak(found.ended, limits, now)
    if deployments(ledgers[made.stack].entries()):
        session = engine_session(here, choose_target(here, target), report)
        state_on_its_cluster(session, made.stack, made.before)
        jobs = session.kubectl.items("cronjobs", made.before.namespace)
        yield from old_backups(made.before, jobs, limits, now)


def _clear(here: Workspace, ledgers: dict[str, Ledger], into: str, name: str, reason: str | None) -> None:
    """End a hold, by its name and with a reason."""
    known = holds(ledgers)
    if not reason:
        raise CommandError("--clear-hold needs --reason TEXT. Nothing was changed", ExitCode.BAD_INPUT)
    if name not in known:
        held_now = ", ".join(known) or "none"
        raise CommandError(f"there is no hold {name}; held are: {held_now}. Nothing was changed", ExitCode.BAD_INPUT)
    entry = ledgers[into].append("promote", person(here.root), {"cleared": name, "why": reason})
    typer.echo(f"The hold {name} has ended: entry {entry.number} of the ledger of {into}, by {entry.by}.")
