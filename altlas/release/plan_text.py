"""A plan as text: what it does, what it needs, what it depends on, and who has signed it."""

from collections.abc import Iterator

from altlas.release.plan import Plan, PlanFile
from altlas.release.steps import ObjectStep, is_dangerous
from altlas.release.text import effort, object_lines


def plan_text(file: PlanFile) -> str:
    """The plan for people: dangerous steps first."""
    plan = file.plan
    steps = sorted(plan.typed_steps(), key=lambda step: not is_dangerous(step))
    lines = [
        f"plan {plan.digest}",
        f"{plan.kind} of the stack {plan.stack} on {plan.target}, cluster {plan.cluster}",
        f"made {plan.created} by {plan.authors[0]}{f', commit {plan.commit[:12]}' if plan.commit else ''}",
        f"expires {plan.expires}",
        f"approvals {len(file.approvals)} of {plan.approvals} needed{_why(plan)}",
        "",
        *(line for step in steps for line in _step(step)),
        "" if steps else "nothing to do: no object differs",
        f"sealed: {', '.join(f'{len(each)} {part}' for part, each in plan.seal.items() if each)}",
    ]
    return "\n".join(lines)


def _why(plan: Plan) -> str:
    classes = f"; classes {', '.join(plan.classes)}" if plan.classes else ""
    return classes + (f"; not automatic: {plan.automatic}" if plan.approvals and plan.automatic else "")


def _step(step: ObjectStep) -> Iterator[str]:
    first, *fields = object_lines(step)
    yield f"{first}  [{effort(step)}]" if step.undo != "reversible" else first
    yield from fields
