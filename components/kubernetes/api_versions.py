"""API versions that a kind had before, so that an object keeps its identity when its manifest takes a newer one.

Pulumi's type token of an object holds its API version. Without these aliases a step from autoscaling/v1 to
autoscaling/v2 would delete every HorizontalPodAutoscaler and make a new one.
"""

from collections.abc import Mapping

FORMER_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "admissionregistration.k8s.io/v1:MutatingWebhookConfiguration": ("admissionregistration.k8s.io/v1beta1",),
    "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": (
        "admissionregistration.k8s.io/v1alpha1",
        "admissionregistration.k8s.io/v1beta1",
    ),
    "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding": (
        "admissionregistration.k8s.io/v1alpha1",
        "admissionregistration.k8s.io/v1beta1",
    ),
    "admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration": ("admissionregistration.k8s.io/v1beta1",),
    "apiextensions.k8s.io/v1:CustomResourceDefinition": ("apiextensions.k8s.io/v1beta1",),
    "apiregistration.k8s.io/v1:APIService": (
        "apiregistration.k8s.io/v1beta1",
        "apiregistration/v1beta1",
        "apiregistration/v1",
    ),
    "apps/v1:DaemonSet": ("apps/v1beta2", "extensions/v1beta1"),
    "apps/v1:Deployment": ("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    "apps/v1:StatefulSet": ("apps/v1beta1", "apps/v1beta2"),
    "autoscaling/v2:HorizontalPodAutoscaler": ("autoscaling/v1", "autoscaling/v2beta1", "autoscaling/v2beta2"),
    "batch/v1:CronJob": ("batch/v1beta1", "batch/v2alpha1"),
    "networking.k8s.io/v1:Ingress": ("extensions/v1beta1", "networking.k8s.io/v1beta1"),
    "networking.k8s.io/v1:NetworkPolicy": ("extensions/v1beta1",),
    "policy/v1:PodDisruptionBudget": ("policy/v1beta1",),
    "rbac.authorization.k8s.io/v1:ClusterRole": (
        "rbac.authorization.k8s.io/v1alpha1",
        "rbac.authorization.k8s.io/v1beta1",
    ),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": (
        "rbac.authorization.k8s.io/v1alpha1",
        "rbac.authorization.k8s.io/v1beta1",
    ),
    "rbac.authorization.k8s.io/v1:Role": ("rbac.authorization.k8s.io/v1alpha1", "rbac.authorization.k8s.io/v1beta1"),
    "rbac.authorization.k8s.io/v1:RoleBinding": (
        "rbac.authorization.k8s.io/v1alpha1",
        "rbac.authorization.k8s.io/v1beta1",
    ),
}
"""Former API versions by `apiVersion:kind`: the aliases of the typed classes of pulumi_kubernetes, for every kind that
this project registers. A kind that is missing here has had one API version only."""
