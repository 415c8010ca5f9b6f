"""Rules for access to the node: host namespaces, host ports, volumes, kernel parameters, probes of other hosts."""

from collections.abc import Iterator

from policy.manifests import Container, Pod
from policy.paths import leaves, read
from policy.rules.base import ObjectRule
from policy.rules.checks import Problem, each_container, each_pod

_VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
_HOST_FIELDS = ("httpGet.host", "tcpSocket.host")


def _host_namespaces(pod: Pod) -> Iterator[Problem]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield f"{pod.path}.{key}", "is true"


def _host_ports(container: Container) -> Iterator[Problem]:
    for index, port in enumerate(container.spec.get("ports") or ()):
        if port.get("hostPort"):
            yield f"ports[{index}].hostPort", f"is {port['hostPort']}"


def _host_paths(pod: Pod) -> Iterator[Problem]:
    for path, volume in pod.volumes:
        if "hostPath" in volume:
            yield f"{path}.hostPath", f"mounts {read(volume, 'hostPath.path')} of the node"


def _volume_types(pod: Pod) -> Iterator[Problem]:
    for path, volume in pod.volumes:
        for key in sorted(volume.keys() - {"name"} - _VOLUME_TYPES):
            yield f"{path}.{key}", "is a volume type that the restricted profile refuses"


def _unlimited_scratch(pod: Pod) -> Iterator[Problem]:
    for path, volume in pod.volumes:
        # The API server makes an emptyDir of a volume that names no source.
        is_scratch = "emptyDir" in volume or volume.keys() <= {"name"}
        if is_scratch and not read(volume, "emptyDir.sizeLimit"):
            yield f"{path}.emptyDir.sizeLimit", "is not set"


def _sysctls(pod: Pod) -> Iterator[Problem]:
    for index, sysctl in enumerate(read(pod.spec, "securityContext.sysctls", [])):
        if sysctl.get("name") not in _SAFE_SYSCTLS:
            yield f"{pod.path}.securityContext.sysctls[{index}]", f"sets {sysctl.get('name')}"


def _probe_hosts(container: Container) -> Iterator[Problem]:
    for key in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
        for path, value in leaves(container.spec.get(key) or {}, key):
            if path.endswith(_HOST_FIELDS) and value:
                yield path, f"is {value}"


def _node_name(pod: Pod) -> Iterator[Problem]:
    if pod.spec.get("nodeName"):
        yield f"{pod.path}.nodeName", f"is {pod.spec['nodeName']}"


def _name_resolution(pod: Pod) -> Iterator[Problem]:
    if pod.spec.get("hostAliases"):
        yield f"{pod.path}.hostAliases", "is set"
    if pod.spec.get("dnsPolicy", "ClusterFirst") != "ClusterFirst":
        yield f"{pod.path}.dnsPolicy", f"is {pod.spec['dnsPolicy']}"
    if read(pod.spec, "dnsConfig.nameservers"):
        yield f"{pod.path}.dnsConfig.nameservers", "is set"


def _service_links(pod: Pod) -> Iterator[Problem]:
    if pod.spec.get("enableServiceLinks") is not False:
        yield f"{pod.path}.enableServiceLinks", "is not false"


def _blanket_tolerations(pod: Pod) -> Iterator[Problem]:
    for index, toleration in enumerate(pod.spec.get("tolerations") or ()):
        if not toleration.get("key"):
            yield f"{pod.path}.tolerations[{index}]", "tolerates every taint"


def _system_priority(pod: Pod) -> Iterator[Problem]:
    name = str(pod.spec.get("priorityClassName") or "")
    if name.startswith("system-"):
        yield f"{pod.path}.priorityClassName", f"is {name}"


RULES = (
    ObjectRule(
        id="no-host-namespaces",
        title="No pod shares the network, the processes or the memory of its node.",
        reason="NetworkPolicies do not hold on the host network, and host processes can be read and killed.",
        fix="remove hostNetwork, hostPID and hostIPC",
        check=each_pod(_host_namespaces),
    ),
    ObjectRule(
        id="no-host-ports",
        title="No container takes a port of its node.",
        reason="It is reached past Service, NetworkPolicy and ingress.",
        fix="remove hostPort and use a Service",
        check=each_container(_host_ports),
    ),
    ObjectRule(
        id="no-host-path",
        title="No pod mounts a directory of its node.",
        reason="The node's files lead to every other pod's secrets.",
        fix="use an emptyDir or a PersistentVolumeClaim",
        check=each_pod(_host_paths),
    ),
    ObjectRule(
        id="volume-types",
        title="Only the volume types of the restricted profile are used.",
        reason="Others reach storage around the access control of the cluster.",
        fix="use a PersistentVolumeClaim",
        check=each_pod(_volume_types),
    ),
    ObjectRule(
        id="scratch-is-limited",
        title="Every emptyDir has a size limit.",
        reason="A pod that writes without end fills the disk of its node and all its neighbours are evicted.",
        fix="set emptyDir.sizeLimit",
        check=each_pod(_unlimited_scratch),
    ),
    ObjectRule(
        id="safe-sysctls",
        title="No pod sets a kernel parameter outside the safe set.",
        reason="Other parameters act on the whole node.",
        fix="remove the sysctl",
        check=each_pod(_sysctls),
    ),
    ObjectRule(
        id="no-probe-of-other-hosts",
        title="No probe or hook names a host.",
        reason="The kubelet would send requests from the node's network to where the pod may not.",
        fix="remove host; probes go to the pod itself",
        check=each_container(_probe_hosts),
    ),
    ObjectRule(
        id="scheduler-chooses-the-node",
        title="No pod names the node it runs on.",
        reason="It bypasses the scheduler with its taints, resources and spread.",
        fix="remove nodeName",
        check=each_pod(_node_name),
    ),
    ObjectRule(
        id="names-resolve-in-the-cluster",
        title="Every pod resolves names with the cluster's DNS and nothing else.",
        reason="Another answer sends requests, and the secrets in them, to another host.",
        fix="remove hostAliases, dnsConfig.nameservers and dnsPolicy",
        check=each_pod(_name_resolution),
    ),
    ObjectRule(
        id="no-service-links",
        title="No pod gets the addresses of all Services in its environment.",
        reason="They show an intruder the whole namespace, and their names collide with settings of programs.",
        fix="set enableServiceLinks to false; names are found through DNS",
        check=each_pod(_service_links),
    ),
    ObjectRule(
        id="no-blanket-tolerations",
        title="No pod tolerates every taint.",
        reason="It would also run on control plane nodes and on nodes that are being emptied.",
        fix="name the key of the taint",
        check=each_pod(_blanket_tolerations),
    ),
    ObjectRule(
        id="no-system-priority",
        title="No pod has the priority of the system.",
        reason="It could push the cluster's own pods from their nodes.",
        fix="use a PriorityClass of the platform's own",
        check=each_pod(_system_priority),
    ),
)
"""Rules about what a pod shares with its node."""
