"""A program whose resources are files: generated wishes, and its states in a form in which two can be compared."""

import json
import random
import re
from typing import Any

from altlas.session.journal.references import broken_reference
from tests.support.journaled import Project

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


def generated(chance: random.Random) -> dict[str, dict[str, Any]]:
    """Wishes of a program: a group and files, some of which replace others, fail, are secret or in the group."""
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


def comparable(project: Project) -> object:
    """State of a project without its moments, chance identifiers and what encryption makes different each time.

    Resources that do not depend on each other register in no certain order; their order is judged by soundness.
    """
    read = project.files.read()
    assert broken_reference(read.body) is None
    resources = sorted(read.resources, key=lambda one: (one["urn"], bool(one.get("delete"))))
    body = {**read.body, "manifest": {**read.body["manifest"], "time": ""}, "secrets_providers": None}
    text = json.dumps([{**body, "resources": resources}, read.version, read.features], sort_keys=True)
    text = re.sub(r'"(created|modified)": "[^"]+"', r'"\1": ""', text)
    text = re.sub(r'"ciphertext": "[^"]+"', '"ciphertext": ""', text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "IDENTIFIER", text)
    return json.loads(text.replace(str(project.root), "ROOT"))
