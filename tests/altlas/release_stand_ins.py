"""Stand-ins for the engine and the cluster of a release: they remember what is asked of them and can be changed."""

import copy
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from altlas.images.lock import write_lock
from altlas.release.apply import Permission, apply_plan, check_offline
from altlas.release.approval import approve
from altlas.release.deployments import RunningDeployment
from altlas.release.ledger import Ledger, ledger_of
from altlas.release.plan import PlanFile, read_plan, write_plan
from altlas.release.planning import make_plan
from altlas.session.engine import Engine
from altlas.session.kubectl import Kubectl
from altlas.session.session import Session
from altlas.session.workspace import Workspace
from cluster import Target
from components.stack.image_lock import LOCK_NAME, parse_lock
from components.stack.loading import read_platform

NAMESPACE_URN = "urn:pulumi:alpha::alt-las::kubernetes:core/v1:Namespace::namespace"
DEPLOYMENT_URN = "urn:pulumi:alpha::alt-las::kubernetes:apps/v1:Deployment::boats"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "alt-las"}}


def deployment(replicas: int) -> dict[str, Any]:
    """A Deployment as the program registers it."""
    metadata = {"name": "boats", "namespace": "alt-las"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}}


@dataclass
class World:
    """State, plan and cluster of one stack.

    Attributes:
        replicas: Replicas that the state knows.
        planned: Replicas that the program wants; the same as `replicas` for an empty plan.
        live: Replicas on the cluster.
        uid: UID of the cluster.
        updates: Command lines of updates that ran.
        printed: Lines that an update prints.
        code: Exit code of an update.
    """

    replicas: int = 2
    planned: int = 3
    live: int = 2
    uid: str = "cluster-1"
    updates: list[tuple[str, ...]] = field(default_factory=list)
    printed: tuple[str, ...] = ("Updating (alpha)\n",)
    code: int = 0

    def state(self) -> dict[str, Any]:
        """The state as Pulumi exports it."""
        namespace = {"urn": NAMESPACE_URN, "type": "kubernetes:core/v1:Namespace", "inputs": NAMESPACE}
        namespace |= {"outputs": {"metadata": {"name": "alt-las", "uid": "namespace-1"}}}
        boats = {"urn": DEPLOYMENT_URN, "type": "kubernetes:apps/v1:Deployment", "inputs": deployment(self.replicas)}
        return {"deployment": {"resources": [namespace, boats]}}

    def preview(self) -> dict[str, Any]:
        """The plan as Pulumi prints it."""
        if self.planned == self.replicas:
            return {"steps": [{"op": "same", "urn": DEPLOYMENT_URN}]}
        states = (
            {"type": "kubernetes:apps/v1:Deployment", "inputs": deployment(replicas)}
            for replicas in (self.replicas, self.planned)
        )
        step = dict(zip(("oldState", "newState"), states, strict=True))
        return {"steps": [{"op": "update", "urn": DEPLOYMENT_URN, "detailedDiff": {"spec.replicas": {}}, **step}]}


class StandInEngine(Engine):
    """Engine of a World."""

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, {})
        self.__dict__["world"] = world

    @property
    def world(self) -> World:
        """The world."""
        found: World = self.__dict__["world"]
        return found

    def stack_exists(self, stack: str) -> bool:
        """Always."""
        return bool(stack)

    def exported_state(self, stack: str) -> Mapping[str, Any]:
        """The state."""
        assert stack == "alpha"
        return copy.deepcopy(self.world.state())

    def preview(self, stack: str, *options: str) -> Mapping[str, Any]:
        """The plan."""
        assert stack == "alpha"
        assert options[:1] in ((), ("--save-plan",))
        return self.world.preview()

    def capture(self, *arguments: str, text: str | None = None) -> str:
        """Secrets of the configuration and of the state."""
        assert text is None
        if arguments[0] == "config":
            return json.dumps({"alt-las:redisInternalSecret": {"value": "CANARY-of-the-configuration", "secret": True}})
        mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
        return json.dumps(
            {"deployment": {"resources": [{"data": mark | {"plaintext": '{"a": "CANARY-of-the-state"}'}}]}}
        )

    def filtered(self, hide: Callable[[str], str]) -> Engine:
        """The same, with a filter."""
        self.__dict__["hide"] = hide
        return self

    def run(self, *arguments: str) -> int:
        """Print the lines through the filter and remember the command."""
        hide = self.hide
        assert hide is not None, "what the engine prints is filtered"
        self.world.updates.append(arguments)
        for line in self.world.printed:
            print(hide(line), end="")
        if self.world.code == 0:
            self.world.replicas = self.world.live = self.world.planned
        return self.world.code


class StandInCluster(Kubectl):
    """Cluster of a World."""

    def __init__(self, world: World) -> None:
        super().__init__(Path("kubectl"), Path("kubeconfig"))
        self.__dict__["world"] = world

    @property
    def world(self) -> World:
        """The world."""
        found: World = self.__dict__["world"]
        return found

    def named(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Every CRD, and the namespaces with their UIDs."""
        uids = {"kube-system": self.world.uid, "alt-las": "namespace-1"}
        labels = {"app.kubernetes.io/instance": "alpha"}
        return [{"metadata": {"name": name, "uid": uids.get(name, kind), "labels": labels}} for name in names]

    def existing(self, manifests: Any) -> list[dict[str, Any]]:
        """The objects with their UIDs and defaults."""
        live = {"Namespace": NAMESPACE, "Deployment": deployment(self.world.live)}
        found = [copy.deepcopy(live[each["kind"]]) for each in manifests]
        for each in found:
            each["metadata"] |= {"uid": f"{each['kind']}-1", "resourceVersion": "7"}
            each["status"] = {"replicas": 1}
        return found


@dataclass
class Release:
    """A planned and approved release that waits to be applied.

    Attributes:
        session: Checkout with stand-ins for engine and cluster.
        world: State, plan and cluster.
        keys: Private keys by name.
        path: File of the plan.
    """

    session: Session
    world: World
    keys: dict[str, Path]
    path: Path

    @property
    def root(self) -> Path:
        """The checkout."""
        return self.session.workspace.root

    @property
    def stack_file(self) -> Path:
        """Stack file of alpha."""
        return self.session.workspace.stack_file("alpha")

    @property
    def signers(self) -> Path:
        """File of allowed signers."""
        return self.root / "allowed_signers"

    @property
    def ledger(self) -> Ledger:
        """Ledger of alpha."""
        return ledger_of(self.session.workspace, "alpha", {})

    def lock(self, **changes: dict[str, Any]) -> None:
        """Lock an image of the gateway.

        Args:
            changes: Other values of its SBOM, or of the scan of a scanner.
        """
        scans = [
            {"scanner": name, "report": f"sha256:{'1' * 64}", "findings": {"low": 2}} | changes.get(name, {})
            for name in ("trivy", "grype")
        ]
        image = {
            "repository": "registry.example.com/api-gateway",
            "tag": "1.0.0",
            "digest": f"sha256:{'0' * 64}",
            "revision": "0" * 40,
            "builtAt": "2026-01-01T00:00:00Z",
            "sbom": {"file": "sbom.json", "format": "spdx", "digest": f"sha256:{'2' * 64}"} | changes.get("sbom", {}),
            "scans": scans,
        }
        write_lock(self.root / LOCK_NAME, parse_lock({"images": {"api-gateway": image}}))

    def plan(self, *approvers: str) -> None:
        """Make a plan and let some approve it."""
        platform = read_platform(self.stack_file)
        file = PlanFile(make_plan(self.session, "alpha", platform, _quiet))
        for name in approvers:
            file = file.with_approval(approve(file.plan, self.keys[name], self.signers))
        write_plan(self.path, file)

    def apply(self, override: str = "", incident: str = "") -> RunningDeployment:
        """Apply the plan as `altlas apply` does."""
        asked = Permission(override=override, incident=incident)
        file, platform = read_plan(self.path), read_platform(self.stack_file)
        permission = check_offline(self.session.workspace, file, platform, self.ledger, asked)
        return apply_plan(self.session, file.plan, platform, self.ledger, permission)

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the JSON of the plan's file."""
        document = json.loads(self.path.read_text())
        change(document)
        self.path.write_text(json.dumps(document))

    def set(self, before: str, after: str) -> None:
        """Change the stack file."""
        text = self.stack_file.read_text()
        assert text.count(before) == 1
        self.stack_file.write_text(text.replace(before, after))


def _quiet(_: str) -> None:
    pass


def session_of(root: Path, world: World) -> Session:
    """A session on a World."""
    workspace = Workspace(root)
    workspace.create()
    return Session(workspace, Target("sim", "TARGET names it", None), StandInCluster(world), StandInEngine(root, world))


def key_of(folder: Path, name: str) -> Path:
    """A new SSH key without a passphrase."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def allowed(key: Path, name: str, options: str = 'namespaces="alt-las-release"') -> str:
    """Line of a key in the file of allowed signers."""
    return f"{name} {options} {key.with_suffix('.pub').read_text()}"
