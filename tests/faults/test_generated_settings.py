"""Generated settings: refused with the key's path and nothing done, or accepted and rendered to the same bytes."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components.stack.problems import PLATFORM_KEY
from tests.altlas.conftest import Altlas, altlas, checkout
from tests.faults.cases import Cases
from tests.faults.generated_settings import Generated, as_line, generated, judged
from tests.support.documents import ROOT, platform_of
from tests.support.figures import Figures

__all__ = ["altlas", "checkout"]

pytestmark = pytest.mark.gate

SHARD = 1000
SHARDS = 100
SAMPLE = 300
RENDERED = 6
"""Accepted documents of a shard that are rendered; one takes two seconds of processor time in both processes."""

RENDERED_IN_SAMPLE = 3
COMMANDS = 5
"""Refused documents of a shard with which a command is run."""


def _documents(shard: str, count: int) -> list[Generated]:
    chance = random.Random(f"settings {shard}")  # noqa: S311  # generates tests, no secrets
    return [generated(chance) for _ in range(count)]


def _shards(*, all_faults: bool) -> tuple[list[str], int]:
    return [f"shard {number}" for number in range(SHARDS if all_faults else 1)], SHARD if all_faults else SAMPLE


def test_a_document_is_accepted_or_its_key_is_named(
    *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """No other exception, and the path of a changed key, of one above it or of one below it."""
    cases = cases_of("settings of any kind", "accepted, or refused with the key's path", "mock")
    shards, count = _shards(all_faults=all_faults)
    faults = []
    for shard in cases.left(shards):
        found = [judged(each) for each in _documents(shard, count)]
        faults += [each.fault for each in found if each.fault]
        cases.finish(shard, held=sum(not each.fault for each in found), of=count)
        share = sum(each.accepted for each in found) / count
        assert 1 / 10 < share < 9 / 10, "both kinds are tried"
    figures.add("faults: settings of any kind", str(cases.outcome))
    assert faults == []
    assert cases.broken == []


def test_a_refused_document_ends_a_command_with_2_and_nothing_is_written(
    checkout: Path,  # the fixture
    altlas: Altlas,  # the fixture
    *,
    all_faults: bool,
    cases_of: Callable[..., Cases],
    figures: Figures,
) -> None:
    """One message on standard error, no traceback, no file changed or made, no cluster started."""
    cases = cases_of("wrong settings in a stack file", "exit code 2, the key named, nothing written", "mock")
    shards, _ = _shards(all_faults=all_faults)
    for shard in cases.left(shards):
        refused = [each for each in _documents(shard, SHARD // 10) if not judged(each).accepted][:COMMANDS]
        held = sum(_is_refused(each, checkout, altlas) for each in refused)
        cases.finish(shard, held=held, of=len(refused))
    figures.add("faults: wrong settings in a stack file", str(cases.outcome))
    assert cases.broken == []


def _is_refused(case: Generated, root: Path, run: Altlas) -> bool:
    stack_file = root / "Pulumi.alpha.yaml"
    stack_file.write_text(yaml.safe_dump({"config": {PLATFORM_KEY: case.document}}, allow_unicode=True))
    before = {path: path.read_bytes() for path in root.iterdir() if path.is_file()}
    done = run("up", "alpha", "--target", "sim")
    after = {path: path.read_bytes() for path in root.iterdir() if path.is_file()}
    said = done.error.startswith("error: ") and PLATFORM_KEY in done.error and "Traceback" not in done.error
    return done.code == 2 and said and after == before and not list(root.glob(".altlas/*/kubeconfig"))


def _rendered(lines: list[str], seed: int) -> "subprocess.Popen[str]":
    """A process that renders documents, with its own order of sets."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.rendered_settings"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines))
    process.stdin.close()
    process.stdin = None
    return process


def _answers(lines: list[str]) -> list[tuple[dict[str, object], dict[str, object]]]:
    """Answers of two processes about each document."""
    with _rendered(lines, 1) as first, _rendered(lines, 2) as second:
        try:
            texts = [process.communicate(timeout=600)[0].splitlines() for process in (first, second)]
        finally:
            first.kill()
            second.kill()
    answers = [[json.loads(line) for line in text] for text in texts]
    return list(zip(*answers, strict=True))


def test_accepted_settings_render_the_same_objects_twice_and_fit_the_schemas(
    *, all_faults: bool, cases_of: Callable[..., Cases], figures: Figures
) -> None:
    """Two processes, the same bytes; no field that the API server's schemas do not have."""
    cases = cases_of("accepted settings", "rendered twice to the same bytes, within the API server's schemas", "mock")
    shards, _ = _shards(all_faults=all_faults)
    most = RENDERED if all_faults else RENDERED_IN_SAMPLE
    broken = []
    for shard in cases.left(shards):
        lines = [as_line(each) for each in _documents(shard, SHARD // 10) if judged(each).accepted][:most]
        answers = _answers(lines)
        assert len(answers) == most
        wrong = [one for one in answers if one[0] != one[1] or one[0].get("wrong") != []]
        broken += wrong
        cases.finish(shard, held=most - len(wrong), of=most)
    figures.add("faults: accepted settings", str(cases.outcome))
    assert broken == []
    assert cases.broken == []


def test_settings_that_render_to_other_bytes_are_noticed() -> None:
    """The control: another port gives another digest, and what is no settings is refused."""
    document = platform_of("alpha")
    lines = [json.dumps(["alpha", document]), json.dumps(["alpha", document | {"namespace": "other"}]), '["alpha", {}]']
    (first, again), (other, _), (refused, _) = _answers(lines)
    assert first == again
    assert first["digest"] != other["digest"]
    assert PLATFORM_KEY in str(refused["refused"])
