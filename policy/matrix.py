"""`python -m policy.matrix [STACK ...]`: yes or no to every hardening question, for every workload of a stack.

The questions are asked of the rendered objects directly, not of the rules, so that each can find what the other misses.
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from policy.command import run
from policy.manifests import Manifest, ManifestSet, name_of
from policy.matrix_questions import QUESTIONS
from policy.stacks import load_stacks

_WORDS = {True: "yes", False: "NO", None: "-"}


@dataclass(frozen=True)
class Row:
    """One question and its answers.

    Attributes:
        question: What is asked.
        answers: Yes or no by workload, for those of which it can be asked.
    """

    question: str
    answers: dict[str, bool]


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
    def percentage(self) -> float:
        """Share of the answers that are yes, in percent; 0 without any workload."""
        return 100 * self.passed / self.cells if self.cells else 0.0


def matrix_of(manifests: list[Manifest]) -> Matrix:
    """Ask every question about every workload."""
    of_set = ManifestSet(manifests)
    pods = sorted(of_set.pods, key=lambda pod: name_of(pod.owner))
    rows = []
    for question, ask in QUESTIONS.items():
        answers = {name_of(pod.owner): ask(pod, of_set) for pod in pods}
        rows.append(Row(question, {name: answer for name, answer in answers.items() if answer is not None}))
    return Matrix(tuple(rows))


def as_text(matrix: Matrix) -> str:
    """The matrix as a table: one line for each question, one column for each workload."""
    names = sorted({name for row in matrix.rows for name in row.answers})
    width = max(len(row.question) for row in matrix.rows)
    lines = [" " * (width + 5) + "  ".join(names)]
    for number, row in enumerate(matrix.rows, start=1):
        cells = "  ".join(_WORDS[row.answers.get(name)].ljust(len(name)) for name in names)
        lines.append(f"{number:>2}. {row.question.ljust(width)} {cells}".rstrip())
    return "\n".join(lines)


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to judge; all when left out.")] = None,
) -> None:
    """Print the hardening matrix; exit 1 unless every answer is yes."""
    good = True
    for stack in load_stacks(stacks or []):
        matrix = matrix_of(stack.manifests)
        good &= matrix.passed == matrix.cells > 0
        typer.echo(as_text(matrix))
        figures = f"{matrix.passed} of {matrix.cells} = {matrix.percentage:.1f} %"
        typer.echo(f"{stack.name}: {len(matrix.rows)} questions for each workload, {figures}\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
