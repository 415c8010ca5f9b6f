"""The `restricted` Pod Security Standard: who a process runs as and what it may do to its node."""

from collections.abc import Iterator

from policy.manifests import Container, Manifest, Pod
from policy.paths import read
from policy.rules.base import ObjectRule
from policy.rules.checks import Problem, each_container, each_pod, each_security_context

_ADDABLE_CAPABILITIES = {"NET_BIND_SERVICE"}
_SAFE_PROFILES = {"RuntimeDefault", "Localhost"}


def _privileged(container: Container) -> Iterator[Problem]:
    if read(container.spec, "securityContext.privileged"):
        yield "securityContext.privileged", "is true"


def _escalation(container: Container) -> Iterator[Problem]:
    if read(container.spec, "securityContext.allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation", "is not false"


def _capabilities_kept(container: Container) -> Iterator[Problem]:
    if "ALL" not in read(container.spec, "securityContext.capabilities.drop", []):
        yield "securityContext.capabilities.drop", "does not name ALL"


def _capabilities_added(container: Container) -> Iterator[Problem]:
    added = set(read(container.spec, "securityContext.capabilities.add", [])) - _ADDABLE_CAPABILITIES
    if added:
        yield "securityContext.capabilities.add", f"names {', '.join(sorted(added))}"


def _writable_root(container: Container) -> Iterator[Problem]:
    if read(container.spec, "securityContext.readOnlyRootFilesystem") is not True:
        yield "securityContext.readOnlyRootFilesystem", "is not true"


def _runs_as_root(pod: Pod) -> Iterator[Problem]:
    of_pod = read(pod.spec, "securityContext.runAsNonRoot")
    for container in pod.containers:
        if read(container.spec, "securityContext.runAsNonRoot", of_pod) is not True:
            yield f"{container.path}.securityContext.runAsNonRoot", "is not true, and the pod does not set it"


def _user(pod: Pod) -> Iterator[Problem]:
    of_pod = read(pod.spec, "securityContext.runAsUser")
    if of_pod == 0:
        yield f"{pod.path}.securityContext.runAsUser", "is 0, which is root"
    for container in pod.containers:
        user = read(container.spec, "securityContext.runAsUser", of_pod)
        if isinstance(user, bool) or not isinstance(user, int) or user <= 0:
            yield f"{container.path}.securityContext.runAsUser", "is not a number above 0, nor is the pod's"


def _group(pod: Pod) -> Iterator[Problem]:
    of_pod = read(pod.spec, "securityContext.runAsGroup")
    for container in pod.containers:
        if read(container.spec, "securityContext.runAsGroup", of_pod) is None:
            yield f"{container.path}.securityContext.runAsGroup", "is not set, nor is the pod's"


def _root_groups(context: Manifest) -> Iterator[Problem]:
    for key in ("runAsGroup", "fsGroup"):
        if context.get(key) == 0:
            yield key, "is 0, which is the group of root"
    if 0 in (context.get("supplementalGroups") or ()):
        yield "supplementalGroups", "holds 0, which is the group of root"


def _seccomp(pod: Pod) -> Iterator[Problem]:
    of_pod = read(pod.spec, "securityContext.seccompProfile.type")
    for container in pod.containers:
        profile = read(container.spec, "securityContext.seccompProfile.type", of_pod)
        if profile not in _SAFE_PROFILES:
            yield f"{container.path}.securityContext.seccompProfile.type", f"is {profile or 'not set'}"


def _unsafe_pod_seccomp(pod: Pod) -> Iterator[Problem]:
    profile = read(pod.spec, "securityContext.seccompProfile.type", "RuntimeDefault")
    if profile not in _SAFE_PROFILES:
        yield f"{pod.path}.securityContext.seccompProfile.type", f"is {profile}"
    yield from _seccomp(pod)


def _app_armor(context: Manifest) -> Iterator[Problem]:
    profile = read(context, "appArmorProfile.type", "RuntimeDefault")
    if profile not in _SAFE_PROFILES:
        yield "appArmorProfile.type", f"is {profile}"


def _selinux(context: Manifest) -> Iterator[Problem]:
    for key in sorted((context.get("seLinuxOptions") or {}).keys() & {"user", "role"}):
        yield f"seLinuxOptions.{key}", "is set"
    label = read(context, "seLinuxOptions.type", "")
    if label not in {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}:
        yield "seLinuxOptions.type", f"is {label}"


def _proc_mount(context: Manifest) -> Iterator[Problem]:
    if context.get("procMount", "Default") != "Default":
        yield "procMount", f"is {context['procMount']}"


def _windows_host(context: Manifest) -> Iterator[Problem]:
    if read(context, "windowsOptions.hostProcess"):
        yield "windowsOptions.hostProcess", "is true"


def _process_namespace(pod: Pod) -> Iterator[Problem]:
    if pod.spec.get("shareProcessNamespace"):
        yield f"{pod.path}.shareProcessNamespace", "is true"


RULES = (
    ObjectRule(
        id="no-privileged-container",
        title="No container is privileged.",
        reason="A privileged container is root on its node.",
        fix="remove privileged, and name the one capability that is needed",
        check=each_container(_privileged),
    ),
    ObjectRule(
        id="no-privilege-escalation",
        title="No process can gain more rights than its parent.",
        reason="A setuid program in the image would make an intruder root in the container.",
        fix="set allowPrivilegeEscalation to false",
        check=each_container(_escalation),
    ),
    ObjectRule(
        id="capabilities-dropped",
        title="Every container drops all capabilities.",
        reason="The runtime's default set allows raw sockets and changes of ownership.",
        fix="set capabilities.drop to [ALL]",
        check=each_container(_capabilities_kept),
    ),
    ObjectRule(
        id="capabilities-not-added",
        title="No container adds a capability other than NET_BIND_SERVICE.",
        reason="Most capabilities lead to the node.",
        fix="remove the capability",
        check=each_container(_capabilities_added),
    ),
    ObjectRule(
        id="root-filesystem-read-only",
        title="Every root file system is read-only.",
        reason="An intruder could change the program or leave one behind.",
        fix="set readOnlyRootFilesystem to true and mount the writable directories by name",
        check=each_container(_writable_root),
    ),
    ObjectRule(
        id="runs-as-non-root",
        title="Every container must run as another user than root.",
        reason="Root in a container is root on its node as soon as the runtime has a flaw.",
        fix="set runAsNonRoot to true on the pod",
        check=each_pod(_runs_as_root),
    ),
    ObjectRule(
        id="user-is-a-number",
        title="Every container runs as a numeric user other than 0.",
        reason="The kubelet cannot tell whether a user that the image names is root.",
        fix="set runAsUser on the pod, such as 10001",
        check=each_pod(_user),
    ),
    ObjectRule(
        id="group-is-set",
        title="Every container runs as a group that the pod names.",
        reason="Without one the image decides, and most images say 0.",
        fix="set runAsGroup on the pod, such as 10001",
        check=each_pod(_group),
    ),
    ObjectRule(
        id="groups-are-not-root",
        title="No group of a process is the group of root.",
        reason="Many files of images and volumes are writable for group 0.",
        fix="use the number of the user for the group, too",
        check=each_security_context(_root_groups),
    ),
    ObjectRule(
        id="seccomp-profile",
        title="Every container runs under a seccomp profile.",
        reason="Without one all system calls reach the kernel of the node.",
        fix="set seccompProfile.type to RuntimeDefault on the pod",
        check=each_pod(_unsafe_pod_seccomp),
    ),
    ObjectRule(
        id="apparmor-profile",
        title="No container leaves its AppArmor profile.",
        reason="The profile keeps a process away from the files of its node.",
        fix="remove appArmorProfile or set its type to RuntimeDefault",
        check=each_security_context(_app_armor),
    ),
    ObjectRule(
        id="selinux-options",
        title="No container chooses its own SELinux user, role or privileged type.",
        reason="Another label lifts the separation between containers.",
        fix="remove seLinuxOptions",
        check=each_security_context(_selinux),
    ),
    ObjectRule(
        id="proc-mount",
        title="Every container gets the masked /proc.",
        reason="The unmasked one shows and changes settings of the node's kernel.",
        fix="remove procMount",
        check=each_security_context(_proc_mount),
    ),
    ObjectRule(
        id="no-windows-host-process",
        title="No container is a Windows host process.",
        reason="It would run with the rights of the node.",
        fix="remove windowsOptions.hostProcess",
        check=each_security_context(_windows_host),
    ),
    ObjectRule(
        id="no-shared-processes",
        title="The containers of a pod do not see each other's processes.",
        reason="One container could read the secrets in the environment of another.",
        fix="remove shareProcessNamespace",
        check=each_pod(_process_namespace),
    ),
)
"""Rules about the security context of pods and containers."""
