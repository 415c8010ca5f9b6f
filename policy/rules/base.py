"""Rule, finding, violation, and the parameters of a stack."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from components.settings.image import RETIRED_IMAGES
from policy.manifests import Manifest, ManifestSet, kind_of, name_of, namespace_of


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Names that a stack allows. Everything that is not listed here is refused.

    Attributes:
        stack: Name that every cluster-scoped object must carry, or None where the stack is not known.
        require_digests: Whether every image must be held to a digest.
        allowed_repositories: Repositories, or prefixes that end in `/`, from which images may come.
        retired_images: Images that must not run, each with its replacement.
        token_service_accounts: ServiceAccounts (`namespace/name`) whose pods may hold a token of the API server.
        exposed_services: Services (`namespace/name`) that may be reached from outside the cluster.
        secret_readers: Roles and ClusterRoles that may read Secrets that they do not name.
        given_up: Names of objects whose data the stack gives up.
        single: Services of which the stack runs one pod.
    """

    stack: str | None = None
    require_digests: bool = False
    allowed_repositories: tuple[str, ...] = ("frozen68/",)
    retired_images: frozenset[str] = frozenset(RETIRED_IMAGES)
    token_service_accounts: frozenset[str] = frozenset()
    exposed_services: frozenset[str] = frozenset()
    secret_readers: frozenset[str] = frozenset()
    given_up: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()


class Finding(NamedTuple):
    """Result of a check: the object, the path in it, and what is wrong there."""

    subject: Manifest
    path: str
    problem: str


@dataclass(frozen=True, order=True)
class Violation:
    """One breach of one rule.

    Attributes:
        rule: Identifier of the rule.
        kind: Kind of the object.
        namespace: Namespace of the object; empty for one that is cluster-scoped.
        name: Name of the object.
        path: Where in the object.
        problem: What is wrong there.
        fix: What would be right.
    """

    rule: str
    kind: str
    namespace: str
    name: str
    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        owner = f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
        return f"{self.rule}: {owner}: {self.path} {self.problem}; {self.fix}"


ObjectCheck = Callable[[Manifest, Parameters], Iterator[Finding]]
SetCheck = Callable[[ManifestSet, Parameters], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule, with its reason. A concrete rule looks at one object or at all of them.

    Attributes:
        id: Stable identifier, also the name of the policy in the policy pack.
        title: What must hold, in one sentence.
        reason: What goes wrong otherwise.
        fix: What to do about a violation.
    """

    id: str
    title: str
    reason: str
    fix: str

    def violations(self, manifests: ManifestSet, parameters: Parameters) -> Iterator[Violation]:
        """Every breach of this rule in a set of manifests."""
        raise NotImplementedError

    def violation(self, finding: Finding) -> Violation:
        """Name the object of a finding and add the fix."""
        subject, path, problem = finding
        return Violation(self.id, kind_of(subject), namespace_of(subject), name_of(subject), path, problem, self.fix)


@dataclass(frozen=True, kw_only=True)
class ObjectRule(Rule):
    """A rule that one object alone can break.

    Attributes:
        check: Finds what breaks the rule in one manifest.
    """

    check: ObjectCheck

    def violations(self, manifests: ManifestSet, parameters: Parameters) -> Iterator[Violation]:
        """Every breach of this rule, object by object."""
        for manifest in manifests.manifests:
            for finding in self.check(manifest, parameters):
                yield self.violation(finding)


@dataclass(frozen=True, kw_only=True)
class SetRule(Rule):
    """A rule that only all objects together can break.

    Attributes:
        check: Finds what breaks the rule in the whole set.
    """

    check: SetCheck

    def violations(self, manifests: ManifestSet, parameters: Parameters) -> Iterator[Violation]:
        """Every breach of this rule in the set."""
        for finding in self.check(manifests, parameters):
            yield self.violation(finding)
