"""Canaries in every place from which a command of `altlas` could take a secret.

Owns where they are planted: configuration of the stacks, environment, kubeconfig, key of a signer, Secrets of the
cluster. Does not own the command lines (`command_lines`) nor the search (`tests.support.canaries`).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from altlas.release.document import as_document
from altlas.release.stack_change import change_of
from components.settings.secret_forms import Form
from components.settings.secrets import SECRETS
from components.stack.loading import read_platform
from components.stack.problems import PROJECT
from components.stores.nats import objects as nats_objects
from components.stores.redis import objects as redis_objects
from rendering.recorder import record
from tests.altlas.release_stand_ins import allowed, key_of
from tests.e2e.conftest import Project
from tests.support.stack_files import change

NAMESPACE = "alt-las"
VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_KEY",
    "COSIGN_PASSWORD",
    "OPENAI_API_KEY",
    "PULUMI_ACCESS_TOKEN",
    "REGISTRY_PASSWORD",
)
"""Variables of an environment that hold secrets; some of them other programs read."""

WHOLE: Mapping[Form, str] = {
    "password": "{}",
    "text": '{} "<&\u00e9+/?',
    "key": '{}"<&+/?',
    "redis url": "redis://canary:{}@redis.example.org:6379",
    "nats url": "nats://canary:{}@nats.example.org:4222",
    "postgres url": "postgresql://canary:{}@postgres.example.org:5432/canary",
    "web url": "https://alerts.example.org/{}",
}
"""Values around a canary, by their form, with letters that some encodings change."""

RECEIVERS = [
    {"name": "chat", "webhook": {}},
    {
        "name": "mail",
        "mail": {"to": "a@example.org", "sender": "b@example.org", "host": "m.example.org", "username": "c"},
    },
]
BUCKET = {"endpoint": "https://s3.example.org", "bucket": "canary"}
OPTIONAL: Mapping[str, Mapping[str, Any]] = {
    "alertmanager": {"receivers": RECEIVERS, "routes": {"page": "chat", "ticket": "mail"}},
    "backup": {"objectStore": BUCKET},
    "loki": {"objectStore": BUCKET | {"since": "2026-01-01"}},
}
"""Blocks of a stack whose secrets only a person can supply."""


@dataclass
class Planted:
    """Canaries by the place where they stand.

    Attributes:
        canaries: Texts to look for.
        environment: Variables of every command.
    """

    canaries: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def new(self, place: str) -> str:
        """A canary for a place: letters that a password, a URL and a line of JSON take as they are."""
        return self.canaries.setdefault(place, f"canary-{len(self.canaries):03d}~{place.translate(_LETTERS)[-40:]}")


_LETTERS = {ord(each): "." for each in " /:_@"}


def plant(project: Project, folder: Path) -> Planted:
    """Plant canaries in everything, and return them.

    Args:
        project: A project on whose cluster alpha runs; no command of `altlas` has seen the canaries yet.
        folder: Folder for files that commands get.
    """
    planted = Planted()
    for name in VARIABLES:
        planted.environment[name] = planted.new(f"variable {name}")
    passphrase = (project.root / ".altlas" / "passphrase").read_text()
    planted.canaries["passphrase"] = planted.environment["PULUMI_CONFIG_PASSPHRASE"] = passphrase
    add_optional(project, "beta", OPTIONAL)
    assert project.pulumi("stack", "init", "beta", "--no-select").code == 0
    for stack in ("alpha", "beta"):
        configure(project, stack, planted)
    make_signers(project, folder, planted)
    write_kubeconfig(project, folder / "kubeconfig", planted)
    return planted


def add_optional(project: Project, stack: str, blocks: Mapping[str, Mapping[str, Any]]) -> None:
    """Add blocks to those of a stack."""
    platform = yaml.safe_load(project.stack_file(stack).read_text())["config"][f"{PROJECT}:platform"]
    change(project, stack, {name: platform[name] | dict(block) for name, block in blocks.items()})


def configure(project: Project, stack: str, planted: Planted) -> None:
    """Set every secret of a stack, and note the passwords that are made of them."""
    values = {each.key: WHOLE[each.form].format(planted.new(f"{stack} {each.key}")) for each in SECRETS}
    words = [word for key, value in values.items() for word in ("--secret", f"{PROJECT}:{key}={value}")]
    done = project.pulumi("config", "set-all", "--stack", stack, *words)
    assert done.code == 0, done.text
    derived = {
        **{
            f"redis {name}": each
            for name, each in redis_objects.internal_passwords(values["redisInternalSecret"]).items()
        },
        **{
            f"nats {name}": each for name, each in nats_objects.internal_passwords(values["natsInternalSecret"]).items()
        },
    }
    planted.canaries |= {f"{stack} {name}": each for name, each in derived.items()}


def make_signers(project: Project, folder: Path, planted: Planted) -> None:
    """Two persons with keys that may approve releases."""
    for name in ("ada", "bob"):
        path = key_of(folder, name)
        planted.canaries[f"key of {name}"] = path.read_text().splitlines()[2]
        with (project.root / "allowed_signers").open("a", encoding="utf-8") as file:
            file.write(allowed(path, f"{name}@example.org"))


def write_kubeconfig(project: Project, path: Path, planted: Planted) -> None:
    """A kubeconfig of the cluster, for a user with a token that the cluster refuses."""
    document = yaml.safe_load((project.root / ".altlas" / "sim" / "kubeconfig").read_text())
    planted.canaries["key of the administrator"] = document["users"][0]["user"]["client-key-data"]
    document["users"][0]["user"] = {"token": planted.new("token of a kubeconfig")}
    path.write_text(json.dumps(document))


def plant_on_cluster(project: Project, planted: Planted) -> None:
    """Secrets of others in the namespace, a copy of one of ours in an annotation, and a variable set by hand."""
    login = {"auths": {"registry.invalid": {"auth": b64encode(f"u:{planted.new('pull Secret')}".encode()).decode()}}}
    tokens = {"token": planted.new("Secret of others"), "password": planted.new("another Secret of others")}
    for name, kind, data in (
        ("canary-pull", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": json.dumps(login)}),
        ("canary-others", "Opaque", tokens),
    ):
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "stringData": data}
        path = project.root / ".altlas" / f"{name}.json"
        path.write_text(json.dumps(manifest))
        # On the client's side, which copies the whole object into an annotation.
        done = project.kubectl("apply", f"--filename={path}", "--namespace", NAMESPACE)
        assert done.code == 0, done.text
        path.unlink()
    annotated = next(each for each in project.objects("secrets", NAMESPACE) if "pulumi" in json.dumps(each["metadata"]))
    copied = json.dumps({"data": {"password": b64encode(planted.new("annotation").encode()).decode()}})
    note = f"kubectl.kubernetes.io/last-applied-configuration={copied}"
    by_hand = ("--namespace", NAMESPACE, "--field-manager=by-hand")
    assert project.kubectl("annotate", "secret", annotated["metadata"]["name"], note, *by_hand).code == 0
    variable = f"OPENAI_API_KEY={planted.new('variable set by hand')}"
    assert project.kubectl("set", "env", "deployment/ai-orchestrator", variable, *by_hand).code == 0


def plant_mistakes(project: Project, folder: Path, planted: Planted) -> None:
    """Files that a person has damaged, or in which a secret stands where none belongs."""
    text = project.stack_file("alpha").read_text()
    begin = f"  {PROJECT}:platform:\n"
    assert text.count(begin) == 1
    wrong = {
        "plain": text.replace(begin, f"  {PROJECT}:openaiApiKey: {planted.new('plain')}\n{begin}"),
        "broken": text.replace(begin, f"{begin}    password: [{planted.new('broken YAML')}\n"),
        "twice": text.replace(begin, f"{begin}    namespace: {planted.new('key that stands twice')}\n"),
        "unknown": text.replace(begin, f"{begin}    password: {planted.new('unknown key')}\n"),
    }
    for name, content in wrong.items():
        (folder / f"Pulumi.{name}.yaml").write_text(content)
    (folder / "cut.json").write_text(f'{{"plan": {{"password": "{planted.new("file that is cut")}"')
    plan = json.loads((folder / "plan.json").read_text())
    plan["plan"]["password"] = plan["plan"]["approvals"] = planted.new("damaged plan")
    (folder / "damaged.json").write_text(json.dumps(plan))
    (folder / "broken-kubeconfig").write_text(f"users: [{planted.new('broken kubeconfig')}\n")
    before, after = (record(stack, read_platform(project.stack_file(stack))) for stack in ("alpha", "beta"))
    change = change_of(("alpha", "beta"), (), (), (before.registrations, after.registrations))
    (folder / "diff.json").write_text(json.dumps(as_document(change)))
