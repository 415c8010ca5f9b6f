"""The pod template."""

from typing import Any

import pytest

from components.kubernetes.naming import content_name
from components.settings.rollout import RolloutSettings
from components.workloads.pod import with_scratch
from components.workloads.pod_set import PodSet
from components.workloads.workload import WorkloadArgs, service_pod
from tests.support.documents import alpha_settings
from tests.support.program import surroundings_without_engine

SERVICE = "services.runner-service"
ENVIRONMENT = {"PORT": "8080"}


def pod(
    changes: dict[str, Any] | None = None,
    *,
    secret: str | None = None,
    pull: RolloutSettings | None = None,
    **args: Any,
) -> dict[str, Any]:
    """Spec of a pod with alpha's runner settings, changed at paths below the service."""
    settings = alpha_settings({f"{SERVICE}.{path}": value for path, value in (changes or {}).items()})
    defaults: dict[str, Any] = {
        "component": "runner",
        "settings": settings.services.runner_service,
        "autoscaling": settings.autoscaling,
        "surroundings": surroundings_without_engine(settings),
        "environment": ENVIRONMENT,
        "secret_environment": {},
        "writable_paths": ("/data/alt_files", "/tmp"),  # noqa: S108  # mount paths inside the container
        "service_port": 8080,
    }
    pods = PodSet(name="runner", component="runner", namespace="alt-las", rollout=pull or RolloutSettings())
    spec: dict[str, Any] = pods.pod_template(service_pod("runner", WorkloadArgs(**defaults | args), secret))["spec"]
    return spec


def container(changes: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    """The pod's only container."""
    (only,) = pod(changes, **args)["containers"]
    found: dict[str, Any] = only
    return found


def test_a_pod_meets_the_restricted_standard() -> None:
    """Non-root by number, because the kubelet cannot check a user's name; the default seccomp profile."""
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_user_of_an_image_can_be_chosen() -> None:
    """User, group and file system group are one number."""
    context = pod({"runAsUser": 2000})["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (2000, 2000, 2000)


def test_a_pod_has_its_own_identity_without_a_token() -> None:
    """No service calls the API server, and no service needs the addresses of all others in its environment."""
    spec = pod()
    assert spec["serviceAccountName"] == "runner"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_a_pod_uses_nothing_of_its_node() -> None:
    """Absent means not shared."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "nodeName", "initContainers"} & pod().keys()
    assert "hostPort" not in container()["ports"][0]


def test_every_writable_path_is_a_bounded_volume_of_its_own() -> None:
    """Volume names are DNS labels, mounts and volumes are the same set."""
    mounts = [
        {"name": "data-alt-files", "mountPath": "/data/alt_files"},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # mount path inside the container
    ]
    volumes = [{"name": name, "emptyDir": {"sizeLimit": "64Mi"}} for name in ("data-alt-files", "tmp")]
    assert container({"scratchSize": "64Mi"})["volumeMounts"] == mounts
    assert pod({"scratchSize": "64Mi"})["volumes"] == volumes


def test_a_path_that_is_named_twice_is_refused() -> None:
    """Kubernetes would refuse the pod much later."""
    with pytest.raises(ValueError, match=r"^runner names a writable path twice: /a, /a$"):
        pod(writable_paths=("/a", "/a"))


def test_the_plain_environment_comes_first_and_a_secret_only_if_there_is_one() -> None:
    """The later one wins where both have a variable: the secret."""
    plain = {"configMapRef": {"name": content_name("runner", ENVIRONMENT)}}
    assert container()["envFrom"] == [plain]
    assert container(secret="hidden")["envFrom"] == [plain, {"secretRef": {"name": "hidden"}}]
    assert "env" not in container()


def test_a_working_directory_is_set_only_where_it_is_named() -> None:
    """Left out, it is the image's own."""
    assert "workingDir" not in container()
    assert container(working_directory="/data/alt_files")["workingDir"] == "/data/alt_files"


def test_image_port_and_resources_are_the_settings() -> None:
    """An image with a digest is held to it."""
    digest = "sha256:" + "0" * 64
    made = container({"image.digest": digest, "port": 8090})
    assert made["image"] == f"registry.invalid/alt-las/runner-service:1.0.0-alpha@{digest}"
    assert made["imagePullPolicy"] == "IfNotPresent"
    assert made["ports"] == [{"name": "http", "containerPort": 8090, "protocol": "TCP"}]
    assert made["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
        # The share beside the scratch directories, and two directories of 256Mi.
        "limits": {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "768Mi"},
    }


def test_a_pod_leaves_its_endpoints_before_it_is_told_to_end() -> None:
    """The sleep is part of the grace period."""
    changes = {"shutdown": {"preStopSleepSeconds": 7, "gracePeriodSeconds": 50}}
    assert container(changes)["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert pod(changes)["terminationGracePeriodSeconds"] == 50


def test_the_startup_probe_gives_at_least_the_time_that_was_set() -> None:
    """It is rounded up to whole periods of five seconds, and its timeout fits one."""
    made = container({"probes": {"startupSeconds": 61, "timeoutSeconds": 9, "periodSeconds": 30}})
    assert made["startupProbe"] == {
        "httpGet": {"path": "/api/v1/health", "port": "http"},
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": 13,
    }


def test_liveness_without_a_path_asks_only_whether_the_port_is_open() -> None:
    """Readiness keeps its path."""
    made = container({"probes": {"livenessPath": None, "readinessPath": "/ready", "failureThreshold": 4}})
    timing = {"periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 4}
    assert made["livenessProbe"] == {"tcpSocket": {"port": "http"}, **timing}
    assert made["readinessProbe"] == {"httpGet": {"path": "/ready", "port": "http"}, **timing}
    assert not {"initialDelaySeconds"} & (made["livenessProbe"].keys() | made["readinessProbe"].keys())


def test_pods_spread_over_zones_and_nodes_but_are_never_held_back() -> None:
    """Each release is spread by itself, or the old one would push the new one together."""
    keys = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    assert pod()["topologySpreadConstraints"] == [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {
                "matchLabels": {"app.kubernetes.io/name": "runner", "app.kubernetes.io/part-of": "alt-las"}
            },
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in keys
    ]


def test_pods_avoid_nodes_that_already_run_a_replica() -> None:
    """A preference only, so that one node can still run them all."""
    (preferred,) = pod()["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    selected = preferred["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert selected == pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]


def test_images_that_nodes_already_have_can_be_used_without_a_registry() -> None:
    """The stack decides for all its pods."""
    settings = alpha_settings({"rollout.imagePullPolicy": "IfNotPresent"})
    assert container(pull=settings.rollout)["imagePullPolicy"] == "IfNotPresent"


def test_a_registry_is_asked_at_each_start_unless_there_is_none() -> None:
    """The name of alpha's images belongs to nobody, so a node that asked for one would never start the pod."""
    assert container({"image.repository": "team/runner"})["imagePullPolicy"] == "Always"
    assert container()["imagePullPolicy"] == "IfNotPresent"


def test_scratch_directories_count_once_and_only_on_the_disk() -> None:
    """Those in memory count as memory; the second container keeps its own share."""
    containers = [{"resources": {"limits": {"ephemeral-storage": "256Mi", "cpu": "1"}}} for _ in range(2)]
    volumes = [
        {"name": "a", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "b", "emptyDir": {"sizeLimit": "64Mi", "medium": "Memory"}},
        {"name": "c", "secret": {"secretName": "x"}},
    ]
    limits = [each["resources"]["limits"] for each in with_scratch(containers, volumes)]
    assert limits == [{"ephemeral-storage": "1280Mi", "cpu": "1"}, {"ephemeral-storage": "256Mi", "cpu": "1"}]


def test_ephemeral_storage_is_a_setting_of_each_container() -> None:
    """The limit gets the size limits of two scratch directories on top."""
    made = container({"resources.ephemeralStorage": {"request": "100Mi", "limit": "1Gi"}, "scratchSize": "128Mi"})
    assert made["resources"]["requests"]["ephemeral-storage"] == "100Mi"
    assert made["resources"]["limits"]["ephemeral-storage"] == "1280Mi"
