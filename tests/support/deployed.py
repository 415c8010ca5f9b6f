"""Deployed stacks to start from: brought up once in a run, and copied for each test file.

Owns the templates: stopped copies of the project with the stack alpha on a simulated cluster, in the folder that all
workers of a run share. Does not own the copies (tests/e2e/conftest.py). What a copy starts is a cluster of its own with
the same data: another port, the same objects, UIDs, state and secrets.
"""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PROGRAM, Done, Project
from tests.support.scratch import copy_program
from tests.support.stack_files import without_monitoring

WITHOUT_MONITORING = "small"
"""The template that waits for half as many objects."""

TEMPLATES = ("alpha", WITHOUT_MONITORING)


@dataclass(frozen=True)
class Template:
    """A stopped copy of the project on whose cluster alpha runs.

    Attributes:
        folder: The copy.
        up: What `altlas up` said, from nothing.
    """

    folder: Path
    up: Done


def template(name: str, factory: pytest.TempPathFactory) -> Template:
    """Provide one of TEMPLATES; the first worker that asks makes it, the others wait."""
    base = factory.getbasetemp()
    # Each worker has a folder below that of the run.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, said = shared / f"template-{name}", shared / f"template-{name}.json"
    with (shared / f"template-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            said.write_text(json.dumps(asdict(_make(name, folder))))
    return Template(folder, Done(**json.loads(said.read_text())))


def _make(name: str, folder: Path) -> Done:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy_program(folder, PROGRAM)
    project = Project(folder)
    if name == WITHOUT_MONITORING:
        without_monitoring(project, "alpha")
    done = project.altlas("up", "--stack", "alpha")
    stopped = project.altlas("down")
    assert stopped.code == 0, stopped.text
    return done


def project_with(name: str) -> Any:
    """Fixture `project` of a module: a copy of a template, which its tests share, with its cluster running."""

    @pytest.fixture(scope="module", name="project")
    def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
        with copy_of(name, tmp_path_factory) as found:
            yield found

    return project


@contextmanager
def copy_of(name: str, factory: pytest.TempPathFactory, *, start: bool = True) -> Iterator[Project]:
    """A copy of a template with its cluster running, removed at the end.

    Args:
        name: The template.
        factory: Makes folders.
        start: Start the cluster; else the first command of the test does.
    """
    made = template(name, factory)
    assert made.up.code == 0, made.up.text
    root = factory.mktemp(name)
    shutil.copytree(made.folder, root, symlinks=True, dirs_exist_ok=True)
    project = Project(root)
    try:
        if start:
            done = project.run(sys.executable, "-m", "cluster", "start")
            assert done.code == 0, done.text
        yield project
    finally:
        done = project.altlas("down", "--delete")
        assert done.code == 0, done.text
