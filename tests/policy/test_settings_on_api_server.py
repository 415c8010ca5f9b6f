"""Gate: what settings accept the API server accepts, with the limits of the real CRDs; by server-side dry-run."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError

from cluster.addons import AddonFiles, addon_objects, load_manifest
from components.settings import PlatformSettings
from components.settings.base import LARGEST_NUMBER
from components.stack.loading import parse_platform
from components.stack.problems import SettingsError
from policy.paths import write
from policy.stacks import load_stack
from tests.policy.test_schemas import VARIATIONS, variation
from tests.support.custom_resources import DEFINITIONS, definitions, wait_until_served
from tests.support.own_cluster import OwnCluster, own_cluster

pytestmark = pytest.mark.sim

LONGEST_NAMESPACE = "n" * 63
Document = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A cluster with the CRDs of every pinned addon and of Traefik."""
    manifest = load_manifest()
    with own_cluster(tmp_path_factory.mktemp("cluster")) as made:
        for name, paths in AddonFiles(manifest).provide(list(manifest.addons)).items():
            crds = addon_objects(manifest.addons[name], paths, webhooks=False).definitions
            made.run("apply", "--server-side", "--filename=-", text=yaml.safe_dump_all(crds))
        made.run("apply", "--server-side", f"--filename={definitions('github.com/traefik/traefik/v3')}")
        wait_until_served(lambda: json.loads(made.run("get", DEFINITIONS, "--output=json"))["items"])
        yield made


@pytest.mark.parametrize("extreme", ["as they are", "smallest", "largest"])
@pytest.mark.parametrize("name", ["alpha-ingress", "beta"])
def test_what_the_settings_accept_the_api_server_accepts(cluster: OwnCluster, name: str, extreme: str) -> None:
    """Every number at its bound, as far as the settings take all of them together, and a namespace of 63 characters."""
    document = variation(name) | {"namespace": LONGEST_NAMESPACE if extreme == "largest" else f"ns-{extreme[:2]}"}
    if extreme != "as they are":
        # Figures given by hand are refused by the program where the moved numbers need more.
        document["quota"] = {"otherPods": 2}
        document, moved = at_bounds(document, largest=extreme == "largest")
        assert moved >= 60, "most numbers can be moved"
    found = refused(cluster, VARIATIONS[name][0], document)
    assert found == [], "\n".join(found)


def test_what_it_does_not_accept_is_found(cluster: OwnCluster) -> None:
    """The control run: a number that no 32-bit field takes, and a label that is too long."""
    objects = [dict(each) for each in load_stack("alpha", variation("alpha") | {"namespace": "control"}).manifests]
    scaler = next(each for each in objects if each["kind"] == "HorizontalPodAutoscaler")
    scaler["spec"] = scaler["spec"] | {"maxReplicas": LARGEST_NUMBER + 1}
    service = next(each for each in objects if each["kind"] == "Service")
    service["metadata"] = service["metadata"] | {"labels": {"a": "x" * 64}}
    found = refused_objects(cluster, "control", objects)
    assert len(found) == 2, found


def at_bounds(document: Document, *, largest: bool) -> tuple[Document, int]:
    """A document with every number at its bound where the settings take it beside the others, and how many moved."""
    moved = 0
    for path, value, bound in list(numbers(parse_platform(document), largest=largest)):
        changed: Document = json.loads(json.dumps(document))
        write(changed, path, bound)
        try:
            parse_platform(changed)
        except (SettingsError, ValidationError):
            continue
        document, moved = changed, moved + (value != bound)
    return document, moved


def numbers(model: BaseModel, path: str = "", *, largest: bool) -> Iterator[tuple[str, float, float]]:
    """Path, value and bound of every number below a model."""
    for name, field in type(model).model_fields.items():
        value, place = getattr(model, name), f"{path}{field.alias or name}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield place, value, bound_of(field.metadata, value, largest=largest)
        elif isinstance(value, BaseModel):
            yield from numbers(value, f"{place}.", largest=largest)


def bound_of(metadata: list[Any], value: float, *, largest: bool) -> float:
    """The largest or smallest number that a field takes by itself."""
    for each in metadata:
        if largest and isinstance(each, Le | Lt):
            return float_or_int(each.le if isinstance(each, Le) else each.lt, value)
        if not largest and isinstance(each, Ge | Gt):
            return float_or_int(each.ge if isinstance(each, Ge) else each.gt, value)
    return LARGEST_NUMBER if largest else 0


def float_or_int(bound: Any, value: float) -> float:
    """A bound of the type of the value."""
    return type(value)(bound)


def refused(cluster: OwnCluster, stack: str, document: Document) -> list[str]:
    """Lines about objects of a stack that the API server does not accept."""
    platform: PlatformSettings = parse_platform(document)
    return refused_objects(cluster, platform.namespace, list(load_stack(stack, document).manifests))


def refused_objects(cluster: OwnCluster, namespace: str, objects: list[Any]) -> list[str]:
    """Lines about objects that the API server does not accept, in a namespace that exists."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    inside = [each for each in objects if each["kind"] != "Namespace"]
    command = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "apply", "--server-side"]
    done = subprocess.run(
        [*command, "--dry-run=server", "--filename=-"],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": inside}),
        capture_output=True,
        text=True,
        check=False,
    )
    accepted = [line for line in done.stdout.splitlines() if "serverside-applied" in line]
    said = [line for line in done.stderr.splitlines() if line and not line.startswith("Warning")]
    assert len(accepted) + len(said) >= len(inside), done.stderr[:2000]
    return said
