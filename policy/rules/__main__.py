"""`python -m policy.rules [STACK ...]`: every violation of a policy rule in the rendered objects of a stack."""

import sys
from typing import Annotated

import typer

from policy.command import run
from policy.rules import RULES, evaluate
from policy.stacks import load_stacks


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to check; all when left out.")] = None,
) -> None:
    """Check the rendered objects of stacks against every policy rule; exit 1 with a violation."""
    good = True
    for stack in load_stacks(stacks or []):
        violations = evaluate(stack.manifests, stack.parameters)
        good &= not violations
        for violation in violations:
            typer.echo(f"{stack.name}: {violation}")
        typer.echo(
            f"{stack.name}: {len(violations)} violations of {len(RULES)} rules in {len(stack.manifests)} objects"
        )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
