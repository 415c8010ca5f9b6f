"""Journaled updates of the real engine give the states of the stock backend. No cluster: the resources are files."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from altlas.session.journal.references import broken_reference
from altlas.session.journal.state_files import StackFiles
from tests.support.journaled import make

pytestmark = pytest.mark.e2e

PROGRAM = '''
import json, os, time
from pathlib import Path
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

HERE = Path(__file__).parent
PAUSE = float(os.environ.get("PAUSE", "0"))


class Files(ResourceProvider):
    """A file for each object: what a crash leaves behind can be counted."""

    def _write(self, props):
        time.sleep(PAUSE)
        if props["value"] == "fails":
            raise Exception("this one fails")
        path = HERE / "objects" / f"{props['name']}-{props['identity']}"
        path.write_text(props["value"])
        return path.name

    def create(self, props):
        return CreateResult(self._write(props), props)

    def update(self, _id, old, new):
        self._write(new)
        return UpdateResult(new)

    def delete(self, _id, props):
        time.sleep(PAUSE)
        (HERE / "objects" / _id).unlink(missing_ok=True)

    def diff(self, _id, old, new):
        replaces = ["identity"] if old["identity"] != new["identity"] else []
        return DiffResult(old != new, replaces, None, new.get("delete_first", False))


class File(Resource):
    def __init__(self, name, props, opts):
        super().__init__(Files(), name, props, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("test:index:Group", name)


made = {}
for name, want in json.loads((HERE / "wanted.json").read_text()).items():
    if want.pop("group", False):
        made[name] = Group(name)
        continue
    options = pulumi.ResourceOptions(
        parent=made.get(want.pop("parent", "")), depends_on=[made[other] for other in want.pop("after", [])],
        protect=want.pop("protect", False), aliases=[pulumi.Alias(name=old) for old in want.pop("formerly", [])],
    )
    if want.pop("secret", False):
        want["value"] = pulumi.Output.secret(want["value"])
    made[name] = File(name, {"name": name, **want}, options)
pulumi.export("names", sorted(made))
'''


def _generated(chance: random.Random) -> dict[str, dict[str, Any]]:
    """Wishes of a program: a group, files in it and beside it, some of which replace, fail, are secret or protected."""
    wanted: dict[str, dict[str, Any]] = {"group": {"group": True}}
    for number in range(chance.randrange(2, 7)):
        name = f"file-{number}"
        if chance.random() < 0.2:
            continue
        earlier = [other for other in wanted if other != "group"]
        wanted[name] = {
            "value": chance.choice(["a", "b", "c", "fails"] if chance.random() < 0.15 else ["a", "b", "c"]),
            "identity": chance.choice(["x", "x", "y"]),
            "delete_first": chance.random() < 0.3,
            "secret": chance.random() < 0.2,
            "parent": "group" if chance.random() < 0.5 else "",
            "after": [chance.choice(earlier)] if earlier and chance.random() < 0.5 else [],
        }
    return wanted


def _comparable(files: StackFiles) -> object:
    """A state without its moments, chance identifiers and what encryption makes different each time.

    Resources that do not depend on each other register in no certain order; their order is judged by soundness.
    """
    read = files.read()
    assert broken_reference(read.body) is None
    resources = sorted(read.resources, key=lambda one: (one["urn"], bool(one.get("delete"))))
    body = {**read.body, "manifest": {**read.body["manifest"], "time": ""}, "secrets_providers": None}
    text = json.dumps([{**body, "resources": resources}, read.version, read.features], sort_keys=True)
    text = re.sub(r'"(created|modified)": "[^"]+"', r'"\1": ""', text)
    text = re.sub(r'"ciphertext": "[^"]+"', '"ciphertext": ""', text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "IDENTIFIER", text)
    return json.loads(text.replace(str(files.backend.parent), "ROOT"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(8))
def test_states_equal_those_of_the_stock_backend(seed: int, tmp_path: Path) -> None:
    """Create, update, replace, fail, refresh and destroy: after each command both states are the same."""
    chance = random.Random(seed)  # noqa: S311  # generates tests, no secrets
    stock, ours = (make(tmp_path / name, PROGRAM, PULUMI_PARALLEL="1") for name in ("stock", "ours"))
    commands = [("up", "--yes", "--skip-preview")] * 3 + [("refresh", "--yes", "--skip-preview")]
    for command in [*commands, ("destroy", "--yes", "--skip-preview")]:
        wanted = _generated(chance)
        for project in (stock, ours):
            project.want(wanted)
        code, output = ours.journaled(*command)
        assert bool(stock.stock(*command)) == bool(code), output
        assert _comparable(ours.files) == _comparable(stock.files), (command, output)
        assert ours.objects == stock.objects
        assert not ours.files.journal.exists()
