"""A plan as text: what it does, what it needs, what it depends on, and who has signed it."""

from collections.abc import Iterator

from altlas.release.plan import Plan, PlanFile
from altlas.release.steps import ObjectStep, is_dangerous

_SIGNS = {"create": "+", "update": "~", "rename": "~", "replace": "-+", "delete": "-"}


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
    undo = f"  [{step.undo}{f': {step.why}' if step.why else ''}]" if step.undo != "reversible" else ""
    yield f"{_SIGNS[step.step]:>2} {step.object.title}{undo}"
    for field in getattr(step, "fields", ()):
        yield f"     {field.path}: {_shown(field.before)} -> {_shown(field.after)}"


def _shown(value: object) -> str:
    text = "unset" if value is None else str(value)
    first = text.splitlines()[0] if text else "''"
    most = 60
    return first if first == text and len(first) <= most else f"{first[:most]}..."
