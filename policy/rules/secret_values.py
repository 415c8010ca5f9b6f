"""Rules for secret values: in Secrets only, and never empty."""

from collections.abc import Iterator

from components.kubernetes.secret_texts import holds_a_secret, names_a_secret
from policy.manifests import UNKNOWN, Container, Manifest, kind_of, pod_of
from policy.paths import join, leaves, read
from policy.rules.base import Finding, ObjectRule, Parameters
from policy.rules.checks import Problem, each_container, each_described_container


def _plain_variables(container: Container) -> Iterator[Problem]:
    for index, variable in enumerate(container.spec.get("env") or ()):
        value = str(variable.get("value") or "")
        if value and (names_a_secret(str(variable.get("name"))) or holds_a_secret(value)):
            yield f"env[{index}].value", f"of {variable.get('name')} is a plain secret"


def _arguments(container: Container) -> Iterator[Problem]:
    for key in ("command", "args"):
        for index, text in enumerate(container.spec.get(key) or ()):
            option, _, value = str(text).partition("=")
            if holds_a_secret(str(text)) or (value and option.startswith("-") and names_a_secret(option.lstrip("-"))):
                yield f"{key}[{index}]", "holds a secret"


def _config_maps(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "ConfigMap":
        return
    for key, value in (manifest.get("data") or {}).items():
        if value and (names_a_secret(key) or holds_a_secret(str(value))):
            yield Finding(manifest, join("data", key), "is a plain secret")


def _annotations(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    pod = pod_of(manifest)
    places = {"metadata"} | ({f"{pod.path.removesuffix('spec')}metadata"} if pod else set())
    for place in sorted(places):
        for path, value in leaves(read(manifest, f"{place}.annotations") or {}, f"{place}.annotations"):
            if holds_a_secret(str(value)):
                yield Finding(manifest, path, "holds a secret")


def _empty_secrets(manifest: Manifest, _: Parameters) -> Iterator[Finding]:
    if kind_of(manifest) != "Secret":
        return
    for field in ("data", "stringData"):
        values = manifest.get(field)
        for key, value in values.items() if isinstance(values, dict) else ():
            if value != UNKNOWN and not str(value or "").strip():
                yield Finding(manifest, join(field, key), "is empty")


RULES = (
    ObjectRule(
        id="no-plain-secret-in-variables",
        title="No environment variable holds a plain secret.",
        reason="Everyone who may read Deployments could read it, and it stays in the history of every rollout.",
        fix="put the value into a Secret and refer to it with secretKeyRef or secretRef",
        check=each_described_container(_plain_variables),
    ),
    ObjectRule(
        id="no-secret-in-arguments",
        title="No command line holds a secret.",
        reason="Every process of the node can read it.",
        fix="pass it as an environment variable or a file from a Secret",
        check=each_container(_arguments),
    ),
    ObjectRule(
        id="no-plain-secret-in-config-maps",
        title="No ConfigMap holds a secret.",
        reason="ConfigMaps are read by far more people than Secrets, and are never encrypted at rest.",
        fix="move the value into a Secret",
        check=_config_maps,
    ),
    ObjectRule(
        id="no-secret-in-annotations",
        title="No annotation holds a secret.",
        reason="Annotations are copied into events, logs and backups.",
        fix="move the value into a Secret",
        check=_annotations,
    ),
    ObjectRule(
        id="secret-values-are-not-empty",
        title="No value of a Secret is empty.",
        reason="Programs take an empty password for none, or fall back to one that everybody knows.",
        fix="supply the value, or leave the key out",
        check=_empty_secrets,
    ),
)
"""Rules about secret values."""
