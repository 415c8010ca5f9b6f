"""CustomResourceDefinitions (CRDs) of addons on a cluster: list, apply, delete.

They are not registered with Pulumi: that takes three times as long and would delete them with its stack (docs/adr).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from altlas.session.kubectl import Kubectl, when_answered
from cluster.addons import PART_OF, RECORD_NAME, RECORD_NAMESPACE
from cluster.waiting import wait_for
from rendering.errors import CommandError

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PAGE = 20
"""CRDs of one answer, at most a few megabytes."""

_FIELD_MANAGER = "--field-manager=alt-las-addons"
_BUSY_SERVER = "--request-timeout=60s"
"""The API server rebuilds its OpenAPI schema for every CRD, and answers slowly during that time."""

_ESTABLISHED_SECONDS = 60
_POLL_SECONDS = 0.2
_PARALLEL_APPLIES = 4


@dataclass(frozen=True)
class Crd:
    """One CRD on the cluster.

    Attributes:
        name: Such as `clusters.postgresql.cnpg.io`, which also names its kind of resources to kubectl.
        annotations: Annotations of the object.
        is_ours: Whether it carries the label of this project.
        established: Whether the API server serves it.
    """

    name: str
    annotations: Mapping[str, str]
    is_ours: bool
    established: bool


@dataclass(frozen=True)
class AddonCluster:
    """Addons of a cluster; owns the CRDs with the label of this project."""

    kubectl: Kubectl

    def identity(self) -> str:
        """UID of the cluster's kube-system namespace, which no other cluster has."""
        return self.kubectl.text("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")

    def record(self) -> dict[str, str]:
        """Record of the installed addons on the cluster; empty without one."""
        options = ("--namespace", RECORD_NAMESPACE, "--ignore-not-found", "--output=jsonpath={.data}")
        try:
            data: dict[str, str] = json.loads(self.kubectl.text("get", "configmap", RECORD_NAME, *options) or "{}")
        except CommandError as error:
            if "(Forbidden)" not in str(error):
                raise
            message = f"{error}\nWithout the right to read it, work without addons: altlas up --no-addons"
            raise CommandError(message, error.code) from None
        return data

    def crds(self) -> tuple[Crd, ...]:
        """All CRDs of the cluster."""
        found: list[Crd] = []
        following = ""
        while True:
            # Whole CRDs of a grown cluster are 20 MB, which a slow line does not carry in the time of one request.
            page = json.loads(self.kubectl.text("get", "--raw", f"{_CRDS}?limit={_PAGE}{following}"))
            found += map(_crd, page["items"])
            token = page.get("metadata", {}).get("continue")
            if not token:
                return tuple(found)
            following = f"&continue={quote(token)}"

    def apply(self, crds: Mapping[str, Sequence[Mapping[str, Any]]], force: Collection[str]) -> None:
        """Create or update CRDs, and wait until the API server serves them all.

        Args:
            crds: The CRDs of each addon.
            force: Addons whose fields are taken over from other field managers.

        Raises:
            CommandError: The API server refuses, or another field manager owns a field, or they are not served in time.
        """
        with ThreadPoolExecutor(_PARALLEL_APPLIES) as pool:
            done = [pool.submit(self._apply, items, force=name in force) for name, items in crds.items()]
        for each in done:
            each.result()
        self._wait({item["metadata"]["name"] for items in crds.values() for item in items})

    def custom_resources(self, crds: Sequence[Crd]) -> tuple[str, ...]:
        """Every custom resource of these CRDs, as `namespace resource/name`."""
        if not crds:
            return ()
        kinds = ",".join(each.name for each in crds)
        template = (
            "--template={{range .items}}{{with .metadata.namespace}}{{.}} {{end}}{{.kind}}/{{.metadata.name}}"
            '{{"\\n"}}{{end}}'
        )
        printed = self.kubectl.text("get", kinds, "--all-namespaces", "--output=go-template", template)
        return tuple(printed.splitlines())

    def delete(self, crds: Sequence[Crd]) -> None:
        """Delete CRDs, and with them every custom resource."""
        if crds:
            names = [each.name for each in crds]
            self.kubectl.text("delete", "customresourcedefinitions", *names, "--ignore-not-found", "--timeout=120s")

    def release(self, names: Sequence[str]) -> None:
        """Take this project's label from CRDs, so that the next field manager may own them."""
        if names:
            self.kubectl.text("label", "customresourcedefinitions", *names, "app.kubernetes.io/part-of-")

    def _apply(self, crds: Sequence[Mapping[str, Any]], *, force: bool) -> None:
        if not crds:
            return
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(crds)})
        options = ("--force-conflicts",) if force else ()
        try:
            command = ("apply", "--server-side", _FIELD_MANAGER, _BUSY_SERVER, *options, "--filename=-")
            self.kubectl.text(*command, stdin=document)
        except CommandError as error:
            raise CommandError(f"the CRDs of an addon are not completely installed: {error}") from None

    def _wait(self, names: set[str]) -> None:
        def missing() -> set[str]:
            return names - {each.name for each in when_answered(self.crds) if each.established}

        left = wait_for(missing, lambda some: not some, seconds=_ESTABLISHED_SECONDS, poll_seconds=_POLL_SECONDS)
        if left:
            listed = ", ".join(sorted(left))
            raise CommandError(f"after {_ESTABLISHED_SECONDS} seconds the API server does not serve {listed}")


def _crd(item: Mapping[str, Any]) -> Crd:
    metadata = item["metadata"]
    conditions = item.get("status", {}).get("conditions") or ()
    return Crd(
        name=metadata["name"],
        annotations=metadata.get("annotations", {}),
        is_ours=metadata.get("labels", {}).get("app.kubernetes.io/part-of") == PART_OF,
        established=any(each["type"] == "Established" and each["status"] == "True" for each in conditions),
    )
