"""The sealed plan of a release, and the file that holds it with its approvals; both are read without any network.

Owns the form of the file. Does not own how a plan is made (`planning`), signed (`approval`) or applied (`apply`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from altlas.release.canonical import digest
from altlas.release.seal import Part, Seal
from altlas.release.steps import ObjectStep, as_documents, read_steps, steps_of_objects
from altlas.session.durable_file import write_durably
from components.settings import FieldClass
from components.stack.documents import UnreadableError, read_json
from rendering.errors import CommandError, ExitCode

SCHEMA = "alt-las/release-plan/v1"
NEXT = "Nothing was changed. Make a new plan by `altlas plan`"


class Plan(BaseModel):
    """A plan: the steps, what they depend on, and who may not approve them.

    Attributes:
        schema_name: Version of this form.
        stack: Stack that it changes.
        kind: `apply`, or `rollback` to an earlier release.
        of: Deployment that a rollback takes back.
        release: Release that a rollback goes back to.
        unattended: Whether no person has decided a rollback; then it needs no signature, and its grounds are checked
            again when it is applied.
        target: Kind of cluster.
        cluster: UID of the cluster's namespace kube-system.
        created: Time of the plan.
        expires: Time from which it is refused.
        authors: Mail addresses that may not approve: who planned it, and author and committer of its commit.
        commit: Commit of the checkout, empty without git.
        operations: Every operation of the engine.
        steps: Steps of the objects, as `steps.as_documents` writes them.
        classes: Kinds of decisions among the steps.
        approvals: Number of signatures that it needs.
        automatic: Reason why it needs a signature although the stack approves automatically; empty if it needs none.
        seal: Everything that it depends on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    schema_name: Literal["alt-las/release-plan/v1"]
    stack: str
    kind: Literal["apply", "rollback"]
    of: int | None
    release: int | None
    unattended: bool = False
    target: str
    cluster: str
    created: str
    expires: str
    authors: tuple[str, ...]
    commit: str
    operations: tuple[str, ...]
    steps: list[dict[str, Any]]
    classes: tuple[FieldClass, ...]
    approvals: int
    automatic: str
    seal: dict[str, Part]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the whole plan: what an approval signs."""
        return digest(self.model_dump(mode="json"))

    @property
    def command(self) -> str:
        """Command that makes such a plan."""
        return f"altlas rollback {self.stack} --to {self.release}" if self.release else f"altlas plan {self.stack}"

    @property
    def expiry(self) -> datetime:
        """Time from which it is refused."""
        return datetime.fromisoformat(self.expires)

    def typed_steps(self) -> tuple[ObjectStep, ...]:
        """Steps of the objects.

        Raises:
            CommandError: They are of another version.
        """
        return steps_of_objects(read_steps(json.dumps(self.steps), "the plan"))


@dataclass(frozen=True)
class PlanFile:
    """A plan with its approvals.

    Attributes:
        plan: The plan.
        approvals: DSSE envelopes, as plain data.
    """

    plan: Plan
    approvals: tuple[Mapping[str, Any], ...] = ()

    def with_approval(self, envelope: Mapping[str, Any]) -> "PlanFile":
        """The same plan with one more approval."""
        return replace(self, approvals=(*self.approvals, envelope))


def seal_document(seal: Seal) -> dict[str, Part]:
    """A seal as the plan holds it."""
    return dict(asdict(seal))


def steps_document(steps: Sequence[ObjectStep]) -> list[dict[str, Any]]:
    """Steps as the plan holds them."""
    return as_documents(steps)


def write_plan(path: Path, file: PlanFile) -> None:
    """Write the file of a plan; a reader sees the old or the new one."""
    document = {"plan": file.plan.model_dump(mode="json"), "approvals": list(file.approvals)}
    write_durably(path, f"{json.dumps(document, indent=1)}\n".encode(), mode=0o666)


def read_plan(path: Path) -> PlanFile:
    """Read the file of a plan.

    Raises:
        CommandError: It is missing, cut off, of another version, or no plan; says what to do.
    """
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise CommandError(f"the plan {path} is missing. {NEXT}", ExitCode.BAD_INPUT) from None
    except UnreadableError as error:
        raise CommandError(f"the plan {path} {error}. {NEXT}", ExitCode.BAD_INPUT) from None
    body = document.get("plan") if isinstance(document, dict) else None
    if not isinstance(body, dict):
        raise CommandError(f"{path} is no plan. {NEXT}", ExitCode.BAD_INPUT)
    if body.get("schema_name") != SCHEMA:
        known = body.get("schema_name", "unknown")
        raise CommandError(f"the plan {path} has the schema {known}, not {SCHEMA}. {NEXT}", ExitCode.BAD_INPUT)
    try:
        plan = Plan.model_validate_json(json.dumps(body))
        approvals = tuple(dict(each) for each in document.get("approvals") or ())
        _ = plan.expiry - datetime.now(UTC), plan.typed_steps()
    except (ValidationError, ValueError, TypeError, CommandError) as error:
        problem = error.errors()[0]["loc"] if isinstance(error, ValidationError) else error
        raise CommandError(f"the plan {path} was edited: {problem}. {NEXT}", ExitCode.BAD_INPUT) from None
    return PlanFile(plan, approvals)
