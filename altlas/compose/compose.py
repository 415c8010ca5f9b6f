"""The platform on one desk: compose.yaml and .env.example, made from what the program registers for a stack.

Owns the translation of the services; what stands below them is in compose_stores, what watches them in
compose_observability. Does not own any value: image, environment, limits, writable paths and who may call whom are
those of the cluster's objects.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from altlas.compose import observability, stores
from components.settings import PlatformSettings
from components.settings.secrets import SECRETS
from components.stack.image_build import RUNTIME_OF

_NAME_LABEL = "app.kubernetes.io/name"
_PLACEHOLDER = re.compile(r"<(\w+)>")
_VARIABLE = re.compile(r"\$\{(\w+):\?")
_HEALTH_CHECKS = {
    "node": ["node", "/platform/healthcheck.mjs"],
    "python": ["python3", "/platform/healthcheck.py"],
    "rust": ["/app/healthcheck"],
    "go": ["/app/healthcheck"],
}
_PUBLISHED = "api-gateway"
_TELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
_HEADER = (
    "# Made by `altlas stack compose {stack}` from the settings of the stack; make it anew instead of changing it.\n"
    "# Copy .env.example to .env and fill it in: nothing here has a default password.\n"
)

Manifest = Mapping[str, Any]


class _Plain(yaml.SafeDumper):
    """Writes every block in full: an anchor saves lines and costs the reader."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def compose(stack: str, platform: PlatformSettings, objects: Sequence[Manifest]) -> tuple[str, str]:
    """The text of compose.yaml and of .env.example; the same settings give the same bytes.

    Args:
        stack: Name of the stack.
        platform: Its settings.
        objects: What the program registers for it, with placeholders for secrets.
    """
    calls = sorted(_calls(objects))
    deployments = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Deployment"}
    services = {name: _service(deployments[name], objects, platform, calls) for name in RUNTIME_OF}
    for name, store in stores.stores(platform).items():
        services[name] = store | {"networks": _networks(name, calls)}
    services |= observability.containers(platform, objects)
    document = {
        "name": f"alt-las-{stack}",
        "services": services,
        "networks": {_network(*call): {"internal": True} for call in calls}
        | {"outside": {}, observability.NETWORK: {"internal": True}},
        "volumes": {name: {} for name in (*stores.VOLUMES, *observability.volumes(platform))},
        "configs": stores.configurations(platform) | observability.configurations(platform, objects),
    }
    text = _HEADER.format(stack=stack) + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120)
    return text, _example(text)


def _service(
    deployment: Manifest, objects: Sequence[Manifest], platform: PlatformSettings, calls: list[tuple[str, str]]
) -> dict[str, Any]:
    name = deployment["metadata"]["name"]
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    settings = platform.services.by_name()[name]
    probes = settings.probes
    user = pod["securityContext"]["runAsUser"]
    size = stores.memory(settings.scratch_size)
    health_url = f"http://127.0.0.1:{settings.port}{probes.readiness_path}"
    is_outside = name == _PUBLISHED or _reaches_internet(name, objects)
    networks = [*_networks(name, calls), *(["outside"] if is_outside else [])]
    return {
        "image": container["image"],
        "user": f"{user}:{user}",
        **({"working_dir": container["workingDir"]} if "workingDir" in container else {}),
        "environment": _environment(container, objects) | {"HEALTH_URL": health_url},
        "healthcheck": {
            "test": ["CMD", *_HEALTH_CHECKS[RUNTIME_OF[name]]],
            "interval": f"{probes.period_seconds}s",
            "timeout": f"{probes.timeout_seconds}s",
            "retries": probes.failure_threshold,
            "start_period": f"{probes.startup_seconds}s",
        },
        # Calls that a stack adds may run in circles, in which nobody could start first.
        "depends_on": {
            callee: {"condition": "service_healthy"}
            for callee in _callees(name, calls)
            if not _in_circle(callee, name, calls)
        },
        "stop_grace_period": f"{settings.shutdown.grace_period_seconds}s",
        "tmpfs": [
            f"{mount['mountPath']}:mode=0770,uid={user},gid={user},size={size}m" for mount in container["volumeMounts"]
        ],
        "deploy": {
            "resources": {
                "limits": stores.resources(settings.resources.limits) | {"pids": stores.PROCESSES},
                "reservations": stores.resources(settings.resources.requests),
            }
        },
        **stores.HARDENED,
        **({"ports": [f"127.0.0.1:{settings.port}:{settings.port}"]} if name == _PUBLISHED else {}),
        "networks": networks + ([observability.NETWORK] if settings.metrics else []),
    }


def _environment(container: Manifest, objects: Sequence[Manifest]) -> dict[str, str]:
    named = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            variables |= named["ConfigMap", source["configMapRef"]["name"]].get("data", {})
        else:
            variables |= named["Secret", source["secretRef"]["name"]].get("stringData", {})
    # Nobody takes telemetry on a desk, and programs that send it to a name that nobody has fill their logs with that.
    wanted = variables.keys() - _TELEMETRY
    return {name: _interpolated(text) for name, text in sorted(variables.items()) if name in wanted}


def _interpolated(text: str) -> str:
    """A value for compose: secrets come from .env, and the desk's database has no certificate."""
    escaped = text.replace("$", "$$").replace("sslmode=require", "sslmode=disable")
    return _PLACEHOLDER.sub(lambda found: stores.variable(found[1]), escaped)


def _calls(objects: Sequence[Manifest]) -> Iterator[tuple[str, str]]:
    """Who may call whom, from the NetworkPolicies of services and stores."""
    known = (*RUNTIME_OF, *stores.NAMES)
    for policy in objects:
        # Where several Redis servers run, callers reach the proxies in front of them; a desk has one server.
        callee = policy["metadata"]["name"].removesuffix("-proxy")
        if policy["kind"] != "NetworkPolicy" or callee not in known:
            continue
        peers = [peer for rule in policy["spec"].get("ingress", ()) for peer in rule.get("from", ())]
        callers = {peer.get("podSelector", {}).get("matchLabels", {}).get(_NAME_LABEL) for peer in peers}
        yield from ((caller, callee) for caller in sorted(callers & set(RUNTIME_OF)) if caller != callee)


def _reaches_internet(name: str, objects: Sequence[Manifest]) -> bool:
    policies = [each for each in objects if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == name]
    peers = (peer for policy in policies for rule in policy["spec"].get("egress", ()) for peer in rule.get("to", ()))
    return any(peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for peer in peers)


def _in_circle(callee: str, caller: str, calls: Iterable[tuple[str, str]]) -> bool:
    """Whether the callee, directly or over others, calls the caller."""
    calls, reached, ahead = tuple(calls), set[str](), [callee]
    while ahead:
        reached.add(at := ahead.pop())
        ahead += [name for name in _callees(at, calls) if name not in reached]
    return caller in reached


def _callees(name: str, calls: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(callee for caller, callee in calls if caller == name)


def _networks(name: str, calls: Iterable[tuple[str, str]]) -> list[str]:
    return [_network(*call) for call in calls if name in call]


def _network(caller: str, callee: str) -> str:
    return f"{caller}-to-{callee}"


def _example(text: str) -> str:
    """A .env with every variable that the text asks for, what it is for, and no value."""
    described = {stores.variable_name(secret.key): secret.description for secret in SECRETS} | dict(stores.DESCRIPTIONS)
    described |= observability.DESCRIPTIONS
    lines = ["# Copy to .env and give every variable a value of its own, such as the output of `openssl rand -hex 32`."]
    for name in sorted(set(_VARIABLE.findall(text))):
        lines += ["", f"# {described[name]}", f"{name}="]
    return "\n".join(lines) + "\n"
