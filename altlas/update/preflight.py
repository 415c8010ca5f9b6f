"""Checks of the cluster before an update: CustomResourceDefinitions, and the owner of the namespace."""

from collections.abc import Iterator, Sequence

from altlas.session.kubectl import Kubectl
from components.settings import PlatformSettings
from components.settings.prometheus import PrometheusSettings
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError

STACK_LABEL = "app.kubernetes.io/instance"
"""Label of a namespace that names the stack it belongs to."""

_GATEWAY = ("gateways.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io")
_MIDDLEWARE = ("middlewares.traefik.io",)
_POSTGRES = ("clusters.postgresql.cnpg.io", "databases.postgresql.cnpg.io")
_WAL = ("objectstores.barmancloud.cnpg.io", "scheduledbackups.postgresql.cnpg.io")
_ISTIO = ("authorizationpolicies.security.istio.io", "peerauthentications.security.istio.io")

_VERTICAL = ("verticalpodautoscalers.autoscaling.k8s.io",)
_CANARY = ("canaries.flagger.app", "metrictemplates.flagger.app")

_INSTALL = "altlas addons install"


def needed_crds(platform: PlatformSettings) -> dict[str, tuple[Sequence[str], str]]:
    """CRDs that settings need, by the setting's path: their names, and the cure where they are missing."""
    needed: dict[str, tuple[Sequence[str], str]] = {}
    if platform.ingress.api == "gateway":
        needed["ingress.api"] = (_GATEWAY, f"install the Gateway API ({_INSTALL}), or write `api: ingress`")
    if platform.ingress.traefik:
        needed["ingress.traefik"] = (_MIDDLEWARE, "install Traefik's CRDs, or remove `traefik`")
    if platform.mesh.is_on:
        needed["mesh.mode"] = (_ISTIO, "install Istio with its CRDs, or write `mode: off`")
    if platform.postgres:
        cure = f"install CloudNativePG ({_INSTALL}), or remove `postgres` and bring URLs of your own"
        needed["postgres"] = (_POSTGRES, cure)
    if platform.postgres and platform.backup and platform.backup.object_store:
        cure = f"install the Barman Cloud plugin ({_INSTALL} --with barman-cloud), or remove `objectStore`"
        needed["backup.objectStore"] = (_WAL, cure)
    if platform.prometheus is not None:
        kinds = sorted(_monitoring_kinds(platform, platform.prometheus))
        crds = tuple(f"{kind}.monitoring.coreos.com" for kind in kinds)
        cure = f"install Prometheus Operator ({_INSTALL}), or write `prometheus: null`"
        needed["prometheus.mode"] = (crds, cure)
    return needed | _needed_by_services(platform)


def _needed_by_services(platform: PlatformSettings) -> dict[str, tuple[Sequence[str], str]]:
    vertical = "install VerticalPodAutoscaler (1.7 for Kubernetes 1.35) with its recommender, or remove `recommend`"
    canary = f"install Flagger and its CRDs ({_INSTALL} --with flagger brings the CRDs), or remove `canary`"
    services = platform.services.by_name().items()
    needed: dict[str, tuple[Sequence[str], str]] = {
        f"services.{name}.recommend": (_VERTICAL, vertical) for name, service in services if service.recommend
    }
    return needed | {f"services.{name}.canary": (_CANARY, canary) for name in platform.canaries()}


def optional_addons(platform: PlatformSettings) -> frozenset[str]:
    """Addons that only some stacks need and that another installer may own: those that this stack needs."""
    wanted = {
        "gateway-api": platform.ingress.api == "gateway",
        "istio": platform.mesh.is_on,
        "flagger": bool(platform.canaries()),
    }
    return frozenset(name for name, needed in wanted.items() if needed)


def _monitoring_kinds(platform: PlatformSettings, prometheus: PrometheusSettings) -> Iterator[str]:
    yield from ("podmonitors", "probes", "prometheusrules")
    if any(service.metrics for service in platform.services.by_name().values()):
        yield "servicemonitors"
    if prometheus.is_managed:
        yield "prometheuses"
        if prometheus.existing_jobs:
            yield "scrapeconfigs"
    if platform.alertmanager:
        yield "alertmanagers"


def check_cluster(kubectl: Kubectl, stack: str, platform: PlatformSettings) -> None:
    """Check that the cluster has the CRDs that the stack needs, and that no other stack owns its namespace.

    Raises:
        SettingsError: It does not, or one does; nothing was changed.
        CommandError: The cluster does not answer or refuses.
    """
    problems = (*_missing_crds(kubectl, platform), *_foreign_namespace(kubectl, stack, platform.namespace))
    if problems:
        raise SettingsError(problems)


def _missing_crds(kubectl: Kubectl, platform: PlatformSettings) -> Iterator[Problem]:
    needed = needed_crds(platform)
    names = [name for crds, _ in needed.values() for name in crds]
    if not names:
        return
    existing = {each["metadata"]["name"] for each in kubectl.named("customresourcedefinitions", *names)}
    for path, (crds, cure) in needed.items():
        missing = [name for name in crds if name not in existing]
        if missing:
            message = f"needs what the cluster does not have: {', '.join(missing)}; {cure}"
            yield Problem(f"{PLATFORM_KEY}.{path}", message)


def _foreign_namespace(kubectl: Kubectl, stack: str, namespace: str) -> Iterator[Problem]:
    for found in kubectl.named("namespace", namespace):
        owner = found["metadata"].get("labels", {}).get(STACK_LABEL)
        if owner != stack:
            belongs = f"belongs to the stack {owner}" if owner else "was not made by this stack"
            yield Problem(
                f"{PLATFORM_KEY}.namespace",
                f"is {namespace}, which is on the cluster already and {belongs}; choose another name, or hand it over "
                f"with everything in it: kubectl label --overwrite namespace {namespace} {STACK_LABEL}={stack}",
            )
