"""The platform as a drawing, read from the NetworkPolicies and routes that its program renders.

What is drawn is therefore what a cluster would let through, not what somebody remembers. Owns no knowledge of
components; the picture itself is made by `altlas.pictures.svg`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CLIENTS = "clients"
CONTROLLER = "ingress controller"
INTERNET = "internet"
_TUNNEL = 15008
"""Port of the mesh's tunnel, which carries the same calls."""
_NAME = "app.kubernetes.io/name"
_COMPONENT = "app.kubernetes.io/component"
_STORES = frozenset({"cache", "database", "messaging", "queue", "store", "backup"})
_OBSERVERS = frozenset({"alerting", "dashboards", "logs", "metrics", "monitoring"})
_NOTICE = "<!-- Written by `altlas stack diagram`; a test compares it with what the program renders. -->"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Node:
    """Something that opens or accepts connections.

    Attributes:
        name: Name of a workload, or one of this module's names for what is around the platform.
        kind: `service`, `store`, `observer` or `outside`.
        ports: TCP ports on which others reach it.
    """

    name: str
    kind: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, order=True)
class Arrow:
    """Connections that are allowed: from whom, to whom, and on which ports or for which addresses."""

    source: str
    target: str
    label: str


@dataclass(frozen=True)
class Drawing:
    """Everything that is drawn of a stack.

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
    """Read who reaches whom out of a stack's objects."""
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
    if component in _OBSERVERS:
        return "observer"
    return "store" if component in _STORES else "service"


def _arrows(policy: Manifest, selectors: Mapping[str, Mapping[str, str]], entered: Collection[str]) -> Iterator[Arrow]:
    """Arrows out of a policy's pods, and from the ingress controller to them where a route leads there."""
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
    """Whom a peer of a policy means; None for what is not drawn: DNS, operators, and the probes of a mesh."""
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
    shapes = {"service": '["{}"]', "store": '[("{}")]', "observer": '{{{{"{}"}}}}', "outside": '(["{}"])'}
    lines = ["flowchart LR"]
    inside = [node for node in drawing.nodes if node.kind != "outside"]
    lines += [f"  {_id(n.name)}{shapes[n.kind].format(n.name)}" for n in drawing.nodes if n.kind == "outside"]
    lines.append(f'  subgraph namespace["namespace {drawing.namespace}"]')
    lines += [f"    {_id(node.name)}{shapes[node.kind].format(node.name)}" for node in inside]
    lines.append("  end")
    lines += [f"  {_id(arrow.source)} -->|{arrow.label}| {_id(arrow.target)}" for arrow in drawing.arrows]
    return "\n".join(lines) + "\n"


def page(drawing: Drawing, others: Sequence[Drawing], picture: str) -> str:
    """The page about the architecture, in Markdown.

    Args:
        drawing: The stack that is drawn.
        others: Stacks of which only the differences are told.
        picture: File name of the picture, beside the page.
    """
    reached = "\n".join(f"| {url} | {service} |" for url, service in drawing.routes)
    calls = "\n".join(f"| {arrow.source} | {arrow.target} | {arrow.label} |" for arrow in drawing.arrows)
    return f"""{_NOTICE}

# Architecture

Who reaches whom in the stack `{drawing.stack}`. Nothing else is possible: every namespace denies all traffic in both
directions, and each arrow is one rule on either end. Every pod that looks up names may also ask the cluster's DNS on
port 53; that, the nodes' probes, and what a store's servers say to each other and to their operator is not drawn.

![Who reaches whom]({picture})

```mermaid
{mermaid(drawing)}```

## From outside

| address | service |
|---|---|
{reached}

## Inside and to the outside

| from | to | TCP port |
|---|---|---|
{calls}

## Other stacks

{"".join(_compared(drawing, other) for other in others)}"""


def _compared(drawing: Drawing, other: Drawing) -> str:
    only = [f"- not in `{other.stack}`: {a.source} to {a.target}" for a in drawing.arrows if a not in other.arrows]
    more = [f"- only in `{other.stack}`: {a.source} to {a.target}" for a in other.arrows if a not in drawing.arrows]
    lines = [*only, *more] or ["- the same arrows"]
    return f"`{other.stack}`, namespace `{other.namespace}`:\n\n" + "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return name.replace("-", "_").replace(" ", "_")
