"""CustomResourceDefinitions of addons on a cluster: looked at, applied in one go, and deleted.

They are not registered with Pulumi: it takes three times as long and would delete them with its stack (docs/adr).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from altlas.session.kubectl import Kubectl, when_answered
from cluster.addons import PART_OF, RECORD_NAME, RECORD_NAMESPACE
from cluster.waiting import wait_for
from rendering.errors import CommandError

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_FIELD_MANAGER = "--field-manager=alt-las-addons"
_BUSY_SERVER = "--request-timeout=60s"
"""An API server works out its whole schema anew for every definition, and answers late meanwhile."""

_ESTABLISHED_SECONDS = 60
_POLL_SECONDS = 0.2
_PARALLEL_APPLIES = 4


@dataclass(frozen=True)
class Definition:
    """One CustomResourceDefinition on the cluster.

    Attributes:
        name: Such as `clusters.postgresql.cnpg.io`, which also names its kind of resources to kubectl.
        annotations: As on the object.
        is_ours: Whether it was installed from here.
        established: Whether the API server serves it.
    """

    name: str
    annotations: Mapping[str, str]
    is_ours: bool
    established: bool


@dataclass(frozen=True)
class AddonCluster:
    """What a cluster has of addons; owns the definitions that carry our label."""

    kubectl: Kubectl

    def identity(self) -> str:
        """UID of the cluster's kube-system namespace, which no other cluster has."""
        return self.kubectl.text("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")

    def record(self) -> dict[str, str]:
        """What the cluster remembers to be installed; empty if nothing."""
        options = ("--namespace", RECORD_NAMESPACE, "--ignore-not-found", "--output=jsonpath={.data}")
        try:
            data: dict[str, str] = json.loads(self.kubectl.text("get", "configmap", RECORD_NAME, *options) or "{}")
        except CommandError as error:
            message = f"{error}\nWhoever may not see what the cluster has works without addons: altlas up --no-addons"
            raise CommandError(message, error.code) from None
        return data

    def definitions(self) -> tuple[Definition, ...]:
        """All CustomResourceDefinitions, whoever installed them."""
        items = json.loads(self.kubectl.text("get", "--raw", _DEFINITIONS))["items"]
        return tuple(map(_definition, items))

    def apply(self, definitions: Mapping[str, Sequence[Mapping[str, Any]]], force: Collection[str]) -> None:
        """Create or update definitions, by addon, and wait until the API server serves them all.

        Args:
            definitions: The definitions of each addon.
            force: Addons whose fields are taken from other owners.

        Raises:
            CommandError: The API server refuses, or another owner's fields differ, or they are not served in time.
        """
        with ThreadPoolExecutor(_PARALLEL_APPLIES) as pool:
            done = [pool.submit(self._apply, items, force=name in force) for name, items in definitions.items()]
        for each in done:
            each.result()
        self._wait({item["metadata"]["name"] for items in definitions.values() for item in items})

    def custom_resources(self, definitions: Sequence[Definition]) -> tuple[str, ...]:
        """Every custom resource of these definitions, as `namespace resource/name`."""
        if not definitions:
            return ()
        kinds = ",".join(each.name for each in definitions)
        template = (
            "--template={{range .items}}{{with .metadata.namespace}}{{.}} {{end}}{{.kind}}/{{.metadata.name}}"
            '{{"\\n"}}{{end}}'
        )
        printed = self.kubectl.text("get", kinds, "--all-namespaces", "--output=go-template", template)
        return tuple(printed.splitlines())

    def delete(self, definitions: Sequence[Definition]) -> None:
        """Delete definitions, and with them every custom resource."""
        if definitions:
            names = [each.name for each in definitions]
            self.kubectl.text("delete", "customresourcedefinitions", *names, "--ignore-not-found", "--timeout=120s")

    def _apply(self, definitions: Sequence[Mapping[str, Any]], *, force: bool) -> None:
        if not definitions:
            return
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(definitions)})
        options = ("--force-conflicts",) if force else ()
        try:
            command = ("apply", "--server-side", _FIELD_MANAGER, _BUSY_SERVER, *options, "--filename=-")
            self.kubectl.text(*command, stdin=document)
        except CommandError as error:
            raise CommandError(f"the definitions of an addon are not completely installed: {error}") from None

    def _wait(self, names: set[str]) -> None:
        def missing() -> set[str]:
            return names - {each.name for each in when_answered(self.definitions) if each.established}

        left = wait_for(missing, lambda some: not some, seconds=_ESTABLISHED_SECONDS, poll_seconds=_POLL_SECONDS)
        if left:
            listed = ", ".join(sorted(left))
            raise CommandError(f"after {_ESTABLISHED_SECONDS} seconds the API server does not serve {listed}")


def _definition(item: Mapping[str, Any]) -> Definition:
    metadata = item["metadata"]
    conditions = item.get("status", {}).get("conditions") or ()
    return Definition(
        name=metadata["name"],
        annotations=metadata.get("annotations", {}),
        is_ours=metadata.get("labels", {}).get("app.kubernetes.io/part-of") == PART_OF,
        established=any(each["type"] == "Established" and each["status"] == "True" for each in conditions),
    )
