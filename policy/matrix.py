"""`python -m policy.matrix [STACK ...]`: yes or no to every hardening question, for every workload of a stack.

The questions are asked of the rendered objects directly, not of the rules, so that each can find what the other misses.
Of pods that an operator makes only what their custom resource says is asked. Where a stack opts out of a question by
name, the answer is counted on its own: neither yes nor no.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from policy.command import run
from policy.manifests import Manifest, ManifestSet, Pod, kind_of, name_of
from policy.matrix_questions import OPT_OUTS, QUESTIONS
from policy.operator_pods import operator_pod_of
from policy.operator_questions import questions_of
from policy.rules import Parameters
from policy.stacks import load_stacks

_WORDS = {True: "yes", False: "NO", None: "-"}
_OPTED_OUT = "out"


@dataclass(frozen=True)
class Row:
    """One question and its answers.

    Attributes:
        question: What is asked.
        answers: Yes or no by workload, for those of which it can be asked.
        opted_out: Instead of no, what opts a workload out by name.
    """

    question: str
    answers: dict[str, bool]
    opted_out: dict[str, str]


@dataclass(frozen=True)
class Matrix:
    """All questions and answers of a stack."""

    rows: tuple[Row, ...]

    @property
    def cells(self) -> int:
        """Number of answers."""
        return sum(len(row.answers) for row in self.rows)

    @property
    def passed(self) -> int:
        """Number of answers that are yes."""
        return sum(sum(row.answers.values()) for row in self.rows)

    @property
    def opted_out(self) -> Counter[str]:
        """Number of questions that are opted out of, by the name of the opt-out."""
        return Counter(name for row in self.rows for name in row.opted_out.values())

    def checks(self) -> Counter[str]:
        """Number of questions that are answered for each workload, or opted out of."""
        return Counter(name for row in self.rows for name in (*row.answers, *row.opted_out))

    @property
    def percentage(self) -> float:
        """Share of the answers that are yes, in percent; 0 without any workload."""
        return 100 * self.passed / self.cells if self.cells else 0.0


def matrix_of(manifests: list[Manifest], parameters: Parameters | None = None) -> Matrix:
    """Ask every question about every workload, the ones that operators make included.

    Args:
        manifests: All objects of a stack.
        parameters: What the stack opts out of by name; nothing when left out.
    """
    of_set, chosen = ManifestSet(manifests), parameters or Parameters(require_digests=True)
    made = (operator_pod_of(manifest) for manifest in manifests)
    pods = [*of_set.pods, *(pod for pod in made if pod is not None)]
    names = Counter(name_of(pod.owner) for pod in pods)
    workloads = {
        name_of(pod.owner) if names[name_of(pod.owner)] == 1 else f"{kind_of(pod.owner)}/{name_of(pod.owner)}": pod
        for pod in sorted(pods, key=lambda pod: (name_of(pod.owner), kind_of(pod.owner)))
    }
    return Matrix(tuple(_row(question, workloads, of_set, chosen) for question in QUESTIONS))


def _row(question: str, workloads: Mapping[str, Pod], manifests: ManifestSet, parameters: Parameters) -> Row:
    row = Row(question, {}, {})
    for name, pod in workloads.items():
        ask = questions_of(pod).get(question)
        answer = ask(pod, manifests) if ask else None
        reason = OPT_OUTS[question](pod, parameters) if question in OPT_OUTS and answer is False else None
        if reason:
            row.opted_out[name] = reason
        elif answer is not None:
            row.answers[name] = answer
    return row


def as_text(matrix: Matrix) -> str:
    """The matrix as a table: one line for each question, one column for each workload."""
    names = sorted({name for row in matrix.rows for name in (*row.answers, *row.opted_out)})
    width = max(len(row.question) for row in matrix.rows)
    lines = [" " * (width + 5) + "  ".join(names)]
    for number, row in enumerate(matrix.rows, start=1):
        words = {name: _WORDS[row.answers.get(name)] for name in names} | dict.fromkeys(row.opted_out, _OPTED_OUT)
        cells = "  ".join(words[name].ljust(len(name)) for name in names)
        lines.append(f"{number:>2}. {row.question.ljust(width)} {cells}".rstrip())
    return "\n".join(lines)


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to judge; all when left out.")] = None,
) -> None:
    """Print the hardening matrix; exit 1 unless every answer is yes or opted out of by name."""
    good = True
    for stack in load_stacks(stacks or []):
        matrix = matrix_of(stack.manifests, stack.parameters)
        good &= matrix.passed == matrix.cells > 0
        typer.echo(as_text(matrix))
        figures = f"{matrix.passed} of {matrix.cells} = {matrix.percentage:.1f} %"
        checks = matrix.checks()
        typer.echo(
            f"{stack.name}: {len(matrix.rows)} questions, {min(checks.values())} to {max(checks.values())} for each of "
            f"{len(checks)} workloads, {figures} of those that apply are yes"
        )
        for name, count in sorted(matrix.opted_out.items()):
            typer.echo(f"  opted out by name: {name}: {count} answers")
        typer.echo("")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
