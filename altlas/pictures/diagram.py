"""Allowed connections of a stack as a Mermaid flowchart and a page, read from its NetworkPolicies and routes.

The picture therefore shows what a cluster allows. Does not know any component.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from altlas.pictures.dashboard import NOTICE

CLIENTS = "clients"
CONTROLLER = "ingress controller"
INTERNET = "internet"
_TUNNEL = 15008
"""Port of the mesh's tunnel, which carries the same calls."""
_NAME = "app.kubernetes.io/name"
_COMPONENT = "app.kubernetes.io/component"
_STORES = frozenset({"cache", "database", "messaging", "queue", "store", "backup"})
_MONITORING = frozenset({"alerting", "dashboards", "logs", "metrics", "monitoring"})

Manifest = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Node:
    """A node that opens or accepts connections.

    Attributes:
        name: Name of a workload, or one of this module's names for nodes outside of the platform.
        kind: `service`, `store`, `monitoring` or `outside`.
        ports: TCP ports on which it accepts connections.
    """

    name: str
    kind: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, order=True)
class Arrow:
    """Allowed connections: source, target, and TCP ports."""

    source: str
    target: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """Nodes and arrows of a stack.

    Attributes:
        stack: Name of the stack.
        namespace: Its namespace.
        nodes: In alphabetical order.
        arrows: In alphabetical order.
        routes: Host with path, and the service behind it.
    """

    stack: str
    namespace: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    routes: tuple[tuple[str, str], ...]


def drawing_of(stack: str, objects: Sequence[Manifest]) -> Drawing:
    """Read the allowed connections of a stack from its objects."""
    policies = [each for each in objects if each["kind"] == "NetworkPolicy" and each["spec"]["podSelector"]]
    selectors = {policy["metadata"]["name"]: _labels(policy["spec"]) for policy in policies}
    routes = tuple(sorted(_routes(objects)))
    entered = {service for _, service in routes}
    arrows = {arrow for policy in policies for arrow in _arrows(policy, selectors, entered)}
    if routes:
        arrows.add(Arrow(CLIENTS, CONTROLLER, "443"))
    namespace = next(each["metadata"]["name"] for each in objects if each["kind"] == "Namespace")
    return Drawing(stack, namespace, tuple(sorted(_nodes(policies, arrows))), tuple(sorted(arrows)), routes)


def _labels(spec: Mapping[str, Any]) -> dict[str, str]:
    return dict(spec["podSelector"].get("matchLabels", {}))


def _nodes(policies: Iterable[Manifest], arrows: Iterable[Arrow]) -> Iterator[Node]:
    arrows = tuple(arrows)
    for policy in policies:
        name, labels = policy["metadata"]["name"], policy["metadata"]["labels"]
        ports = {int(port) for arrow in arrows if arrow.target == name for port in arrow.label.split(", ")}
        yield Node(name, _kind(labels.get(_COMPONENT)), tuple(sorted(ports)))
    for name in (CLIENTS, CONTROLLER, INTERNET):
        if any(name in (arrow.source, arrow.target) for arrow in arrows):
            yield Node(name, "outside")


def _kind(component: str | None) -> str:
    if component in _MONITORING:
        return "monitoring"
    return "store" if component in _STORES else "service"


def _arrows(policy: Manifest, selectors: Mapping[str, Mapping[str, str]], entered: Collection[str]) -> Iterator[Arrow]:
    """Arrows from the pods of a policy, and from the ingress controller to them where a route leads there."""
    own = policy["metadata"]["name"]
    for rule in policy["spec"].get("egress") or ():
        for peer in rule.get("to") or ():
            target = _peer(peer, selectors)
            if target not in (None, own):
                yield Arrow(own, str(target), _ports(rule))
    for rule in policy["spec"].get("ingress") or ():
        if own in entered and any("namespaceSelector" in peer for peer in rule.get("from") or ()):
            yield Arrow(CONTROLLER, own, _ports(rule))


def _peer(peer: Mapping[str, Any], selectors: Mapping[str, Mapping[str, str]]) -> str | None:
    """Node that a peer of a policy selects; None for DNS, operators, and the probes of a mesh, which are not drawn."""
    if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
        return INTERNET
    if "namespaceSelector" in peer:
        return None
    wanted = _labels(peer) if "podSelector" in peer else {}
    return next((name for name, labels in selectors.items() if labels == wanted), None)


def _ports(rule: Mapping[str, Any]) -> str:
    return ", ".join(str(port) for port in sorted({each["port"] for each in rule.get("ports") or ()} - {_TUNNEL}))


def _routes(objects: Iterable[Manifest]) -> Iterator[tuple[str, str]]:
    for each in objects:
        if each["kind"] == "Ingress" and "tls" in each["spec"]:
            for rule in each["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    yield f"https://{rule['host']}{path['path']}", path["backend"]["service"]["name"]
        if each["kind"] == "HTTPRoute":
            for rule in each["spec"]["rules"]:
                for backend in rule.get("backendRefs", ()):
                    path = rule["matches"][0]["path"]["value"]
                    yield f"https://{each['spec']['hostnames'][0]}{path}", backend["name"]


def mermaid(drawing: Drawing) -> str:
    """The drawing as a Mermaid flowchart, the same text each time."""
    shapes = {"service": '["{}"]', "store": '[("{}")]', "monitoring": '{{{{"{}"}}}}', "outside": '(["{}"])'}
    lines = ["flowchart LR"]
    inside = [node for node in drawing.nodes if node.kind != "outside"]
    lines += [f"  {_id(n.name)}{shapes[n.kind].format(n.name)}" for n in drawing.nodes if n.kind == "outside"]
    lines.append(f'  subgraph namespace["namespace {drawing.namespace}"]')
    lines += [f"    {_id(node.name)}{shapes[node.kind].format(node.name)}" for node in inside]
    lines.append("  end")
    lines += [f"  {_id(arrow.source)} -->|{arrow.label}| {_id(arrow.target)}" for arrow in drawing.arrows]
    return "\n".join(lines) + "\n"


def page(drawing: Drawing, others: Sequence[Drawing]) -> str:
    """The page about the architecture, in Markdown.

    Args:
        drawing: The stack that is drawn.
        others: Stacks whose differences are listed.
    """
    reached = "\n".join(f"| {url} | {service} |" for url, service in drawing.routes)
    compared = "\n".join(_compared(drawing, other) for other in others)
    calls = "\n".join(f"| {arrow.source} | {arrow.target} | {arrow.label} |" for arrow in drawing.arrows)
    return f"""{NOTICE}

# Architecture

Allowed connections of the stack `{drawing.stack}`; all other traffic is denied in both directions. Each arrow is one
rule at either end, with its TCP ports. Rectangles are services, cylinders stores, hexagons monitoring. Not drawn: DNS
on port 53 for every pod that resolves names, the nodes' probes, and the traffic of a store's servers with each
other and with their operator.

```mermaid
{mermaid(drawing)}```

## Public addresses

| address | service |
|---|---|
{reached}

## Connections

| from | to | TCP port |
|---|---|---|
{calls}

## Other stacks

{compared}"""


def _compared(drawing: Drawing, other: Drawing) -> str:
    only = [f"- not in `{other.stack}`: {a.source} to {a.target}" for a in drawing.arrows if a not in other.arrows]
    more = [f"- only in `{other.stack}`: {a.source} to {a.target}" for a in other.arrows if a not in drawing.arrows]
    lines = [*only, *more] or ["- the same connections"]
    return f"`{other.stack}`, namespace `{other.namespace}`:\n\n" + "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return name.replace("-", "_").replace(" ", "_")
