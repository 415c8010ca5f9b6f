"""`python -m policy.prove [STACK ...]`: proves that exactly the declared edges are possible, and tests the prover."""

import sys
from typing import Annotated, get_args

import typer

from policy.command import run
from policy.proof.declaration import declaration_of
from policy.proof.mutation import judge_prover
from policy.proof.reachability import Kind, prove
from policy.stacks import Stack, load_stacks


def prove_stack(stack: Stack) -> tuple[list[str], bool]:
    """Prove one stack and test the prover on it.

    Returns:
        The lines to print, and whether everything is as it should be.
    """
    declaration = declaration_of(stack.platform)
    proof, mutants = prove(stack.manifests, declaration), judge_prover(stack.manifests, declaration)
    figures = {kind: len(proof.of_kind(kind)) for kind in get_args(Kind)}
    lines = [
        f"{stack.name}: edges declared {len(proof.declared)}, edges proven {len(proof.proven)}, "
        + ", ".join(f"{kind} {count}" for kind, count in figures.items()),
        f"  mutants noticed {len(mutants.noticed)} of {mutants.changing} that change who reaches whom, and "
        f"{len(mutants.surplus)} that the other end still denies; {len(mutants.equivalent)} change nothing:",
        *(f"    {mutant}" for mutant in mutants.equivalent),
        *(f"  {difference}" for difference in proof.differences),
        *(f"  not noticed: {mutant}" for mutant in mutants.unnoticed),
        "  not judged: the kubelet of a pod's own node, which Kubernetes always lets in for probes",
    ]
    return lines, proof.proven == proof.declared and not proof.differences and not mutants.unnoticed


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to prove; all when left out.")] = None,
) -> None:
    """Prove that the NetworkPolicies of a stack let through exactly what is declared."""
    good = True
    for stack in load_stacks(stacks or []):
        lines, is_proven = prove_stack(stack)
        good &= is_proven
        typer.echo("\n".join(lines))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
