"""Answers of Pulumi's own replay to generated journals, kept as checksums: `python -m tests.altlas.journal.judge`.

Needs Go; builds `replay.go` with the module files of the pinned CLI, which takes some minutes.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.altlas.journal.documents import GeneratedJournal

SEEDS = range(1000)
ANSWERS = Path(__file__).with_name("answers.txt")
_HERE = Path(__file__).parent
_MODULE = _HERE.parents[2] / "tools" / "go" / "pulumi"


def checksum(deployment: dict[str, Any], version: int, features: Sequence[str]) -> str:
    """Checksum of a state without its moment and the order of what was in flight, which is chance in Go."""
    pending = sorted(deployment.get("pending_operations") or (), key=lambda one: json.dumps(one, sort_keys=True))
    timeless = {**deployment, "manifest": None, "pending_operations": pending}
    return sha256(json.dumps([timeless, version, list(features)], sort_keys=True).encode()).hexdigest()[:16]


def question(seed: int) -> dict[str, Any]:
    """A generated journal with its base."""
    made = GeneratedJournal(seed)
    return {"base": made.base, "entries": made.entries}


def _judged(questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        shutil.copy(_HERE / "replay.go", folder)
        shutil.copy(_MODULE / "go.sum", folder)
        lines = (_MODULE / "go.mod").read_text().splitlines(keepends=True)
        Path(folder, "go.mod").write_text("".join(line for line in lines if not line.startswith("tool ")))
        asked = json.dumps(questions)
        done = subprocess.run(
            ["go", "run", "."], cwd=folder, input=asked, text=True, check=True, stdout=subprocess.PIPE
        )
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers


def main() -> None:
    """Ask, and write the answers down."""
    lines = []
    for seed, said in zip(SEEDS, _judged([question(seed) for seed in SEEDS]), strict=True):
        state = checksum(said.get("deployment") or {}, said["version"], said["features"] or ())
        lines.append(f"{seed} {state} {'broken' if said.get('integrity') else 'whole'}\n")
    ANSWERS.write_text("".join(lines))


if __name__ == "__main__":
    main()
