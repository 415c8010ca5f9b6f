"""Load test inside the cluster: the template of its Job, and the traffic that its pod may make.

`altlas loadtest --in-cluster` makes a Job of it, with the program and the load; nothing runs by itself.
"""

from dataclasses import dataclass
from typing import Self

import pulumi

from components.kubernetes.object import Manifest
from components.settings import PlatformSettings
from components.settings.image import ImageSettings
from components.settings.workload import ResourceSettings
from components.traffic.jobs import LOAD_TEST
from components.workloads.component import ObjectComponent, Surroundings
from components.workloads.container import ContainerArgs, container
from components.workloads.objects import CronJobArgs, JobArgs, cron_job
from components.workloads.pod import PodArgs
from components.workloads.pod_set import PodSet

_USER = 10001
_NEW_YEAR = "0 0 1 1 *"
_DEADLINE_SECONDS = 3600
_KEPT_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class LoadTestArgs:
    """A load test.

    Attributes:
        surroundings: The stack around it.
        image: Image with Python and Locust.
        resources: Requests and limits of the pod.
    """

    surroundings: Surroundings
    image: ImageSettings
    resources: ResourceSettings

    @classmethod
    def of(cls, platform: PlatformSettings, surroundings: Surroundings) -> Self | None:
        """The arguments in a stack; None where no image for it is named."""
        settings = platform.load_test
        if settings is None or settings.image is None:
            return None
        return cls(surroundings=surroundings, image=settings.image, resources=settings.resources)


class PlatformLoadTest(ObjectComponent):
    """A suspended CronJob without a token, with its identity and a NetworkPolicy that leads to the gateway only.

    Owns the template. Does not own the Jobs that are made of it, nor what they measure.
    """

    def __init__(self, name: str, args: LoadTestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("alt-las:platform:LoadTest", name, args.surroundings, opts)
        pods = PodSet.of(args.surroundings, LOAD_TEST, "load-test", in_mesh=True)
        before = [
            self._register(name, pods.service_account()),
            self._register(name, pods.declared_policy(args.surroundings.graph, args.surroundings.controller)),
        ]
        self._register(name, template(pods, args), *before)
        self.register_outputs({})


def template(pods: PodSet, args: LoadTestArgs) -> Manifest:
    """The CronJob. It is suspended, so its schedule never counts."""
    program = container(
        ContainerArgs(
            name=LOAD_TEST,
            image=args.image.reference,
            command=("python", "-m", "loadtests.locust_run"),
            resources=args.resources,
            # The restricted profile lets the pod write nowhere else.
            environment={"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: S108  # a mount path
            mounts={"/tmp": "scratch"},  # noqa: S108  # as above
        )
    )
    pod = PodArgs(
        version=args.image.tag,
        user=_USER,
        containers=[program],
        volumes=[{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}],
        grace_period_seconds=30,
        restart_policy="Never",
    )
    schedule = CronJobArgs(schedule=_NEW_YEAR, time_zone="Etc/UTC", start_seconds=60, history=1)
    each = JobArgs(deadline_seconds=_DEADLINE_SECONDS, retries=0, kept_seconds=_KEPT_SECONDS)
    made = cron_job(pods.metadata(), schedule, each, pods.pod_template(pod))
    return {**made, "spec": {**made["spec"], "suspend": True}}
