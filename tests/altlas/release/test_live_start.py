"""Start of a rehearsal from a real cluster: what a scratch takes from it, and that the real one is only read."""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from altlas.commands import rehearse as command
from altlas.release.live_overlay import take_over
from altlas.release.live_start import LiveCluster, LiveStart, Taken, read_live
from altlas.release.owned_fields import EntryKey, Path, read, write
from altlas.session.kubectl import Kubectl
from rendering.errors import CommandError, ExitCode
from tests.altlas.conftest import Altlas
from tests.altlas.release.test_drift import registered

Manifest = dict[str, Any]
WHEN, LATER = "2026-11-27T04:20:30Z", "2026-11-27T05:20:30Z"


def manifest(kind: str, name: str, api: str = "v1", **more: Any) -> Manifest:
    """An object as the program sends it."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "harbour"}, **more}


BOATS = manifest(
    "Deployment",
    "boats",
    "apps/v1",
    spec={"replicas": 2, "template": {"spec": {"containers": [{"name": "sail", "image": "sail:1"}]}}},
)
CHARTS = manifest("ConfigMap", "charts", data={"sea": "calm"})
MAP = manifest("Secret", "map-0123abcd", data={"x": "canary"})
MAP["metadata"]["annotations"] = {"pulumi.com/autonamed": "true"}
SCALER = manifest(
    "HorizontalPodAutoscaler",
    "boats",
    "autoscaling/v2",
    spec={"scaleTargetRef": {"kind": "Deployment", "name": "boats"}},
)
SENT = [BOATS, CHARTS, MAP, SCALER]


def running(sent: Manifest, change: Callable[[Manifest], object] = lambda _: None, **writers: Any) -> Manifest:
    """An object of a cluster, changed by the writers of fields."""
    found = copy.deepcopy(sent)
    change(found)
    managed: list[Manifest] = [{"manager": "pulumi-kubernetes-1", "fieldsV1": {"f:spec": {}}, "time": WHEN}]
    managed += [{"manager": name, "fieldsV1": fields, "time": LATER} for name, fields in writers.items()]
    found["metadata"] |= {"uid": f"real-{sent['kind']}", "resourceVersion": "7", "managedFields": managed}
    return found


class Cluster:
    """Stand-in of kubectl: remembers what is run, and refuses what a test says."""

    def __init__(self, objects: Sequence[Manifest] = (), refused: str = "") -> None:
        self.objects = list(objects)
        self.refused = refused
        self.commands: list[tuple[tuple[str, ...], Manifest]] = []

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command."""
        if arguments[0] == self.refused:
            raise CommandError("the pilot says no")
        self.commands.append((arguments, json.loads(stdin or "{}")))
        return ""

    def items(self, kind: str, namespace: str, *options: str) -> list[Manifest]:
        """Objects of the asked kinds."""
        del namespace, options
        asked = {each.partition(".")[0].lower().rstrip("s") for each in kind.split(",")}
        return copy.deepcopy([each for each in self.objects if each["kind"].lower() in asked])


def rehearsed(real: Sequence[Manifest], **stand_in: Any) -> tuple[LiveStart, Cluster]:
    """Take a real cluster over into a scratch whose generated names and Secrets are others."""
    here = [running(each) for each in SENT]
    scratch = Cluster(**stand_in)
    text = json.dumps(here).replace("map-0123abcd", "map-89abcdef").replace("canary", "scratch")
    deployed = registered(*json.loads(json.dumps(SENT).replace("map-0123abcd", "map-89abcdef")))
    live = LiveCluster(_kubectl(Cluster(real)), tuple(registered(*SENT)), "harbour", tuple(real))
    return take_over(live, _kubectl(scratch), deployed, json.loads(text)), scratch


def _kubectl(cluster: Cluster) -> Kubectl:
    return cluster  # type: ignore[return-value]  # a stand-in


def as_sent(*changed: Manifest) -> list[Manifest]:
    """The fleet as it was sent, with other objects in place of those of their name."""
    places = {(each["kind"], each["metadata"]["name"]): running(each) for each in SENT}
    return list((places | {(each["kind"], each["metadata"]["name"]): each for each in changed}).values())


def test_a_cluster_as_the_last_update_left_it_gives_nothing() -> None:
    """The control: other Secrets and other generated names are no difference, nor is what the cluster makes itself."""
    root = running(manifest("ConfigMap", "kube-root-ca.crt", data={}))
    crew = running(manifest("ConfigMap", "crew", data={}), lambda each: each["metadata"].update(ownerReferences=[{}]))
    taken, scratch = rehearsed(as_sent(root, crew))
    assert (taken.objects, taken.taken, scratch.commands) == (6, (), [])


def test_a_field_of_another_writer_is_written_under_its_name() -> None:
    """So that an update that wants the field meets the same conflict; a copy of the whole object is left out."""
    copied = "kubectl.kubernetes.io/last-applied-configuration"

    def change(found: Manifest) -> None:
        (container,) = found["spec"]["template"]["spec"]["containers"]
        found["metadata"]["annotations"] = {copied: "canary"}
        container["image"] = "sail:2"
        container["tty"] = True

    fields: Manifest = {
        "f:metadata": {"f:annotations": {f"f:{copied}": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"sail"}': {"f:image": {}, "f:tty": {}}}}}},
    }
    taken, scratch = rehearsed(as_sent(running(BOATS, change, mallory=fields)))
    (only,) = taken.taken
    container = "spec.template.spec.containers[sail]"
    assert (only.object, only.writer, only.problem) == ("Deployment boats", "mallory", "")
    assert only.what == f"changed {container}.image, {container}.tty"
    ((command, sent),) = scratch.commands
    assert command == ("replace", "--filename=-", "--field-manager=mallory")
    assert sent["spec"]["template"]["spec"]["containers"] == [{"name": "sail", "image": "sail:2", "tty": True}]
    assert "resourceVersion" not in sent["metadata"]
    assert "canary" not in json.dumps(sent)


def test_replicas_of_an_autoscaler_come_along() -> None:
    """They are no drift, and decide whether the rest fits."""
    taken, scratch = rehearsed(as_sent(running(BOATS, lambda each: each["spec"].update(replicas=9))))
    assert [(each.object, each.what) for each in taken.taken] == [("Deployment boats", "changed spec.replicas")]
    assert scratch.commands[0][1]["spec"]["replicas"] == 9


def test_what_was_deleted_is_deleted_and_what_no_update_made_is_made() -> None:
    """Without what one cluster alone can give, and without a value of a Secret."""
    other = running(
        manifest("Secret", "treasure", type="kubernetes.io/tls", data={"tls.crt": "Y2FuYXJ5", "tls.key": "Y2FuYXJ5"}),
        bob={"f:data": {}},
    )
    other["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "canary"}
    pier = running(manifest("Service", "pier", spec={"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": []}))
    objects = [each for each in as_sent(other, pier) if each["metadata"]["name"] != "charts"]
    taken, scratch = rehearsed(objects)
    assert [(each.object, each.what, each.writer) for each in taken.taken] == [
        ("ConfigMap charts", "deleted", ""),
        ("Secret treasure", "created", "bob"),
        ("Service pier", "created", "pulumi-kubernetes-1"),
    ]
    deleted, secret, service = scratch.commands
    assert deleted[0] == ("delete", "ConfigMap", "charts", "--namespace", "harbour", "--ignore-not-found")
    assert (secret[1]["type"], sorted(secret[1]["data"])) == ("Opaque", ["tls.crt", "tls.key"])
    assert service[1]["spec"] == {"ports": []}
    assert not any(word in json.dumps(scratch.commands) for word in ("canary", "Y2FuYXJ5", "real-", "10.0.0.7"))


def test_a_changed_secret_is_changed_and_its_value_is_not_read() -> None:
    """By the name that it has in the scratch."""
    fields: Manifest = {"f:data": {"f:x": {}}}
    taken, scratch = rehearsed(as_sent(running(MAP, lambda each: each["data"].update(x="other-canary"), eve=fields)))
    assert [(each.object, each.what) for each in taken.taken] == [("Secret map-89abcdef", "changed data.x")]
    assert scratch.commands[0][1]["data"] == {"x": "cmVoZWFyc2Vk"}


def test_a_volume_that_has_grown_is_grown() -> None:
    """A smaller one stays: volumes do not shrink."""
    here = running(manifest("PersistentVolumeClaim", "hold", spec={"resources": {"requests": {"storage": "1Gi"}}}))
    live = copy.deepcopy(here)
    for size, expected in (("2Gi", ["changed spec.resources.requests.storage"]), ("512Mi", []), ("1024Mi", [])):
        live["spec"]["resources"]["requests"]["storage"] = size
        cluster = LiveCluster(_kubectl(Cluster()), (), "harbour", (live,))
        found = take_over(cluster, _kubectl(Cluster()), (), (here,))
        assert [each.what for each in found.taken] == expected


def test_what_the_scratch_cannot_take_is_named() -> None:
    """Such as an object that a policy of FROM refuses; the rest is taken."""
    other = running(manifest("ConfigMap", "rum", data={}))
    boats = running(BOATS, lambda each: each["spec"].update(replicas=9))
    taken, scratch = rehearsed(as_sent(other, boats), refused="create")
    assert [(each.what, each.problem) for each in taken.taken] == [
        ("changed spec.replicas", ""),
        ("created", "the pilot says no"),
    ]
    assert len(scratch.commands) == 1


def test_a_stack_that_is_not_what_runs_is_refused() -> None:
    """Both sides are named; nothing was written to either."""
    scratch = Cluster()
    live = LiveCluster(_kubectl(Cluster()), tuple(registered(*SENT)), "harbour", tuple(as_sent()))
    other = registered(BOATS, MAP, SCALER, manifest("ConfigMap", "stars"))
    with pytest.raises(CommandError) as refused:
        take_over(live, _kubectl(scratch), other, [running(each) for each in SENT])
    assert refused.value.code == ExitCode.REFUSED
    assert "(only on the cluster: ConfigMap charts; only in FROM: ConfigMap stars)" in str(refused.value)
    assert scratch.commands == []


def test_a_stack_without_objects_has_no_cluster_to_start_from() -> None:
    """As for drift."""
    with pytest.raises(CommandError, match="the stack alpha has no objects; deploy it by `altlas up alpha`") as refused:
        read_live(_kubectl(Cluster()), "alpha", (), "harbour")
    assert refused.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: None, ()),
        (lambda found: found[1]["metadata"].update(resourceVersion="8"), ("ConfigMap charts",)),
        (lambda found: found.pop(0), ("Deployment boats",)),
        (lambda found: found.append(running(manifest("ConfigMap", "rum"))), ("ConfigMap rum",)),
        (
            lambda found: found.append(running(manifest("PersistentVolumeClaim", "hold"))),
            ("PersistentVolumeClaim hold",),
        ),
    ],
    ids=["nothing", "changed", "gone", "new", "a claim"],
)
def test_the_real_cluster_is_compared_by_its_resource_versions(
    change: Callable[[list[Manifest]], object], said: tuple[str, ...]
) -> None:
    """Whatever was written to it in between, by anyone."""
    cluster = Cluster(as_sent())
    found = read_live(_kubectl(cluster), "alpha", registered(*SENT), "harbour")
    assert len(found.objects) == len(SENT)
    change(cluster.objects)
    assert found.changed() == said
    assert cluster.commands == []


SAIL = EntryKey((("name", "sail"),))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("a",), 1, {"a": 1, "l": [{"name": "sail", "x": 1}]}),
        (("b", "c"), 1, {"b": {"c": 1}, "l": [{"name": "sail", "x": 1}]}),
        (("l", SAIL, "x"), 2, {"l": [{"name": "sail", "x": 2}]}),
        (("l", SAIL, "x"), None, {"l": [{"name": "sail"}]}),
        (("l", SAIL), None, {"l": []}),
        (("l", EntryKey((("name", "oar"),)), "x"), 2, {"l": [{"name": "sail", "x": 1}, {"name": "oar", "x": 2}]}),
        (("m", SAIL), {"name": "sail"}, {"l": [{"name": "sail", "x": 1}], "m": [{"name": "sail"}]}),
        (("none",), None, {"l": [{"name": "sail", "x": 1}]}),
    ],
)
def test_a_value_is_written_where_it_is_read(path: Path, value: Any, expected: Manifest) -> None:
    """Blocks and entries above it are made; None removes."""
    found: Manifest = {"l": [{"name": "sail", "x": 1}]}
    write(found, path, value)
    assert found == expected
    assert read(found, path) == value


def test_the_command_says_what_was_taken_and_that_the_real_cluster_is_as_before() -> None:
    """Or which of its objects others changed meanwhile."""
    taken = Taken("Deployment boats", "changed spec.paused", "mallory"), Taken("ConfigMap rum", "created", "", "no")
    first, rows = command._start(LiveStart(7, taken))
    assert first == "Started from 7 objects of the cluster, unchanged: every resourceVersion is as before."
    assert [line.split()[-1] for line in rows.splitlines()] == ["RESULT", "over", "no"]
    (only,) = command._start(LiveStart(7, (), ("Deployment boats",)))
    assert only == "Started from 7 objects of the cluster, changed by others meanwhile: Deployment boats."


def test_a_cluster_is_named_only_to_be_read(altlas: Altlas) -> None:
    """Without --live no cluster of a user is looked at."""
    done = altlas("rehearse", "alpha", "beta", "--target", "sim")
    assert (done.code, "--target names the cluster to read from; give --live as well" in done.error) == (2, True)
