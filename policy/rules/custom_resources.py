"""Rules for custom resources: databases, monitoring servers, routes, the mesh."""

from collections.abc import Iterator

from policy.manifests import Manifest, ManifestSet, group_of, kind_of, name_of, namespace_of
from policy.operator_pods import OPERATOR_KINDS
from policy.paths import read
from policy.rules.base import Finding, ObjectRule, Parameters, SetRule
from policy.rules.checks import Problem

_POSTGRES, _MONITORING, _ISTIO = "postgresql.cnpg.io", "monitoring.coreos.com", "security.istio.io"
_GATEWAY = "gateway.networking.k8s.io"
_SUPER_RIGHTS = ("superuser", "replication", "bypassrls", "createrole", "createdb")
_EXCEPTIONS = {("restore", "createdb"), ("backup", "bypassrls"), ("restore", "bypassrls")}
"""Only the Job of a restore that a person starts gets the password of `restore`; `backup` reads all rows, or its dumps
would fail on tables with row-level security, and `restore` compares all of them."""

_OPEN_METHODS = {"trust", "password", "md5", "ident"}
_NUMBERS = ("runAsUser", "runAsGroup", "fsGroup")


def _is(manifest: Manifest, group: str, *kinds: str) -> bool:
    return group_of(manifest) == group and kind_of(manifest) in kinds


def _superusers(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if not _is(manifest, _POSTGRES, "Cluster"):
        return
    if read(manifest, "spec.enableSuperuserAccess"):
        yield Finding(manifest, "spec.enableSuperuserAccess", "is true")
    for index, role in enumerate(read(manifest, "spec.managed.roles", [])):
        for right in _SUPER_RIGHTS:
            if role.get(right) and (role.get("name"), right) not in _EXCEPTIONS:
                yield Finding(manifest, f"spec.managed.roles[{index}].{right}", f"is true for {role.get('name')}")


def _open_connections(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if not _is(manifest, _POSTGRES, "Cluster"):
        return
    lines = read(manifest, "spec.postgresql.pg_hba", [])
    for index, line in enumerate(lines):
        words = str(line).split()
        plain = words[0] in ("host", "hostnossl") and words[-1] != "reject"
        if plain or _OPEN_METHODS & set(words):
            yield Finding(manifest, f"spec.postgresql.pg_hba[{index}]", f"is `{line}`")
    # The operator ends the list with a line that lets every role into every database.
    if not lines or str(lines[-1]).split() != ["host", "all", "all", "all", "reject"]:
        yield Finding(manifest, "spec.postgresql.pg_hba", "does not end with `host all all all reject`")


def _loose_operator_pods(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if (group_of(manifest), kind_of(manifest)) not in OPERATOR_KINDS:
        return
    context = "spec.securityContext" if _is(manifest, _MONITORING, kind_of(manifest)) else "spec"
    if read(manifest, f"{context}.seccompProfile.type") != "RuntimeDefault":
        yield Finding(manifest, f"{context}.seccompProfile.type", "is not RuntimeDefault")
    if context == "spec":
        return
    if read(manifest, f"{context}.runAsNonRoot") is not True:
        yield Finding(manifest, f"{context}.runAsNonRoot", "is not true")
    for number in _NUMBERS:
        value = read(manifest, f"{context}.{number}")
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            yield Finding(manifest, f"{context}.{number}", "is not a number above 0")
    yield from _loosened(manifest)


def _loosened(manifest: Manifest) -> Iterator[Finding]:
    """Fields that remove the restrictions which the Prometheus Operator gives its containers by default."""
    if read(manifest, "spec.hostNetwork"):
        yield Finding(manifest, "spec.hostNetwork", "is true")
    for role in ("containers", "initContainers"):
        for index, container in enumerate(read(manifest, f"spec.{role}", [])):
            context = container.get("securityContext") or {}
            for field, loose in (
                ("privileged", True),
                ("allowPrivilegeEscalation", True),
                ("readOnlyRootFilesystem", False),
                ("runAsNonRoot", False),
            ):
                if context.get(field) is loose:
                    yield Finding(manifest, f"spec.{role}[{index}].securityContext.{field}", f"is {str(loose).lower()}")


def _open_interfaces(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if _is(manifest, _MONITORING, "Prometheus") and read(manifest, "spec.enableAdminAPI"):
        yield Finding(manifest, "spec.enableAdminAPI", "is true")


def _of_listener(listener: Manifest) -> Iterator[Problem]:
    protocol = listener.get("protocol")
    if not listener.get("hostname"):
        yield "hostname", "is not set, so it answers for every host"
    if read(listener, "allowedRoutes.namespaces.from", "Same") != "Same":
        yield "allowedRoutes.namespaces.from", "lets others add routes"
    if protocol not in ("HTTP", "HTTPS"):
        yield "protocol", f"is {protocol}"
    terminates = read(listener, "tls.mode", "Terminate") == "Terminate" and read(listener, "tls.certificateRefs")
    if protocol == "HTTPS" and not terminates:
        yield "tls", "does not end TLS with a certificate"


def _plain_listeners(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if not _is(manifest, _GATEWAY, "Gateway"):
        return
    for index, listener in enumerate(read(manifest, "spec.listeners", [])):
        for path, problem in _of_listener(listener):
            yield Finding(manifest, f"spec.listeners[{index}].{path}", problem)


def _routes_in_the_clear(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    encrypted = {
        (namespace_of(gateway), name_of(gateway), listener.get("name"))
        for gateway in manifests.of("Gateway")
        for listener in read(gateway, "spec.listeners", [])
        if listener.get("protocol") == "HTTPS"
    }
    for route in manifests.of("HTTPRoute"):
        served = any(rule.get("backendRefs") for rule in read(route, "spec.rules", []))
        for index, parent in enumerate(read(route, "spec.parentRefs", [])):
            listener = (parent.get("namespace", namespace_of(route)), parent.get("name"), parent.get("sectionName"))
            path = f"spec.parentRefs[{index}].sectionName"
            if not parent.get("sectionName"):
                yield Finding(route, path, "is not set, so the route hangs on every listener")
            elif served and listener not in encrypted:
                yield Finding(route, path, "names no HTTPS listener of a Gateway")


def _routes_elsewhere(manifests: ManifestSet, _: Parameters) -> Iterator[Finding]:
    for route in manifests.of("HTTPRoute"):
        if not read(route, "spec.hostnames"):
            yield Finding(route, "spec.hostnames", "is not set, so it answers for every host")
        for number, rule in enumerate(read(route, "spec.rules", [])):
            for index, backend in enumerate(rule.get("backendRefs") or ()):
                namespace = backend.get("namespace", namespace_of(route))
                name = str(backend.get("name"))
                if namespace != namespace_of(route) or manifests.find("Service", namespace, name) is None:
                    path = f"spec.rules[{number}].backendRefs[{index}].name"
                    yield Finding(route, path, f"is {name}, which is no Service of the route's namespace")


def _half_mesh_policies(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if _is(manifest, _ISTIO, "PeerAuthentication") and read(manifest, "spec.mtls.mode") != "STRICT":
        yield Finding(manifest, "spec.mtls.mode", "is not STRICT")
    if not _is(manifest, _ISTIO, "AuthorizationPolicy") or read(manifest, "spec.action", "ALLOW") != "ALLOW":
        return
    for index, rule in enumerate(read(manifest, "spec.rules", [])):
        sources, targets = rule.get("from") or (), rule.get("to") or ()
        if not sources or not all(read(each, "source.principals") for each in sources):
            yield Finding(manifest, f"spec.rules[{index}].from", "does not name every caller by ServiceAccount")
        if not targets or not all(read(each, "operation.ports") for each in targets):
            yield Finding(manifest, f"spec.rules[{index}].to", "does not name every port")


RULES = (
    ObjectRule(
        id="database-has-no-superusers",
        title="No role of a database may do more than use it.",
        reason="An attacker with one service's password would own every database of the server.",
        fix="leave the right out; migrations run as the owner of their database",
        check=_superusers,
    ),
    ObjectRule(
        id="database-connections-are-encrypted",
        title="A database lets only named roles in, with TLS and a password that is never sent.",
        reason="Passwords and rows would cross the network in clear text, or nobody would be asked for one.",
        fix="write hostssl lines with scram-sha-256, and end with `host all all all reject`",
        check=_open_connections,
    ),
    ObjectRule(
        id="operator-pods-are-restricted",
        title="Custom resources ask their operator for pods of the restricted profile.",
        reason="What an operator makes is not in the program, so nobody would see it run as root.",
        fix="set the security context as for pods of our own, and remove what loosens the operator's",
        check=_loose_operator_pods,
    ),
    ObjectRule(
        id="metrics-cannot-be-deleted",
        title="Nobody can delete metrics over the network.",
        reason="An intruder would cover the traces.",
        fix="leave enableAdminAPI out",
        check=_open_interfaces,
    ),
    ObjectRule(
        id="gateway-has-tls",
        title="Every listener of a Gateway has a host, its own routes only, and HTTPS or plain HTTP to redirect.",
        reason="Tokens would cross the network in clear text, or an attacker could answer under our name.",
        fix="name hostname and certificateRefs, and allow routes from the same namespace",
        check=_plain_listeners,
    ),
    SetRule(
        id="routes-are-served-with-tls",
        title="A route names its listener, and one that leads to pods an HTTPS listener.",
        reason="On a plain one it would serve in clear text what should be redirected.",
        fix="name the HTTPS listener in sectionName",
        check=_routes_in_the_clear,
    ),
    SetRule(
        id="routes-lead-to-services-of-the-stack",
        title="A route has hosts and leads to Services of its own namespace.",
        reason="Requests would fail, or leave the policies of the namespace.",
        fix="name hostnames and a Service of the stack",
        check=_routes_elsewhere,
    ),
    ObjectRule(
        id="mesh-admits-by-identity",
        title="The mesh takes mutual TLS only, and admits callers by ServiceAccount together with the port.",
        reason="A rule without one of the two admits everybody, or to every port.",
        fix="set STRICT, and name principals and ports in one rule",
        check=_half_mesh_policies,
    ),
)
"""Rules about custom resources."""
