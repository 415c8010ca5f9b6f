"""Operators and CRDs of a cluster: install, upgrade, adopt, remove; skipped while the pinned ones are installed.

Owns the order of an installation and of a removal, and its refusals. Does not own the objects (cluster.addons).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from altlas.addons.definitions import AddonCluster, Crd
from altlas.session.consent import Consent
from altlas.session.console import Report
from altlas.session.session import Session
from cluster.addons import (
    EXTERNAL,
    AddonFiles,
    AddonManifest,
    AddonObjects,
    AddonState,
    addon_objects,
    is_newer,
    load_manifest,
    newer_versions,
    record_of,
    recorded_version,
    state_of,
)
from rendering.errors import CommandError, ExitCode

PROJECT = "alt-las-addons"
"""Name of the Pulumi project in cluster/addons."""

SIMULATED = (
    "Operators are simulated here: their custom resources are accepted by the real API, without the operators' own "
    "admission webhooks; what only a running operator can do is not proven here."
)
_AGREED = ("--yes", "--skip-preview")
"""Options of Pulumi once a person has agreed."""

_SHOWN = 10


@dataclass(frozen=True)
class Choices:
    """Choices about addons of a cluster.

    Attributes:
        external: Left to the cluster: not installed from here.
        adopt: Taken over although others installed them.
        optional: Optional ones that are installed too, and kept up to date from then on.
    """

    external: frozenset[str] = frozenset()
    adopt: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


class Addons:
    """The addons of one cluster."""

    def __init__(
        self,
        session: Session,
        report: Report,
        *,
        manifest: AddonManifest | None = None,
    ) -> None:
        """Prepare, without a request to the cluster.

        Args:
            session: The checkout, its cluster and the engine.
            report: Prints progress.
            manifest: Pinned addons, if not those of cluster/addons.
        """
        self._manifest = manifest or load_manifest()
        self._webhooks = session.target.runs_containers
        self._cluster = AddonCluster(session.kubectl)
        self._engine = replace(session.engine, root=session.workspace.root / "cluster" / "addons", project=PROJECT)
        self._settings = session.workspace.private / "addons"
        self._report = report

    @cached_property
    def _stack(self) -> str:
        # A recreated cluster is another one, also under its old name.
        return f"cluster-{self._cluster.identity()[:8]}"

    def ensure(self, choices: Choices = Choices(), *, consent: Consent) -> bool:
        """Install the pinned addons that the cluster lacks; return whether anything changed.

        Args:
            choices: Addons to leave alone, adopt or add; earlier choices stay.
            consent: To a change of a cluster that is not simulated.

        Raises:
            CommandError: A newer version is installed, an addon cannot be adopted or left alone or lacks requirements
                (nothing was changed), or the installation failed.
            ToolsUnavailableError: The files of an addon cannot be had; nothing was changed.
        """
        self._check_names(choices.external | choices.adopt | choices.optional)
        record = self._cluster.record()
        self._check(record, choices)
        remembered = {name for name, entry in record.items() if entry == EXTERNAL} & self._manifest.addons.keys()
        external = (remembered | choices.external) - choices.adopt
        # An installed optional addon was chosen once, and is kept.
        asked_for = record.keys() | choices.optional | choices.adopt
        optional = {name for name, addon in self._manifest.addons.items() if addon.optional and name in asked_for}
        wanted = record_of(self._manifest, external, webhooks=self._webhooks, optional=optional)
        if not choices.adopt and record == wanted:
            self._report_external(external)
            return False
        objects = self._objects([name for name in wanted if name not in external])
        existing = {each.name: each for each in self._cluster.crds()}
        foreign = self._foreign(objects, existing, choices.adopt)
        own = {n: each for n, each in objects.items() if n not in foreign}
        self._check_requirements(own, existing)
        self._ask(consent, f"Install or update {', '.join(own) or 'the record of the addons'} on this cluster?")
        self._install(own, choices.adopt)
        self._update({*external, *foreign}, optional)
        self._hand_over(sorted(name for name in choices.external if record.get(name, EXTERNAL) != EXTERNAL), existing)
        self._report_external(external)
        return True

    def states(self) -> dict[str, tuple[str, AddonState]]:
        """Version on the cluster (empty if it is not known) and state of each pinned addon."""
        record = self._cluster.record()
        wanted = record_of(self._manifest, (), webhooks=self._webhooks, optional=self._manifest.addons)
        return {
            name: (recorded_version(record.get(name, "")), state_of(name, record, wanted, self._manifest))
            for name in self._manifest.addons
        }

    def remove(self, *, consent: Consent) -> bool:
        """Remove the operators and CRDs that were installed from here; return whether there were any.

        Raises:
            CommandError: Custom resources exist, which would be deleted with their CRDs; or this checkout did not
                install them. Nothing was changed.
        """
        own = [each for each in self._cluster.crds() if each.is_ours]
        record = self._cluster.record()
        if not own and not record:
            return False
        resources = self._cluster.custom_resources(own)
        if resources:
            raise CommandError(_still_used(resources))
        self._ask(consent, f"Remove {', '.join(sorted(record)) or 'the addons'} and {len(own)} CRDs from this cluster?")
        if self._engine.stack_exists(self._stack):
            if self._engine.run("destroy", "--stack", self._stack, "--remove", *_AGREED):
                raise CommandError("the operators are not completely removed; correct the cause and remove them again")
        elif record:
            raise CommandError(
                "these addons were installed from another checkout or state backend; remove them from there. "
                "Nothing was changed"
            )
        self._cluster.delete(own)
        return True

    def _check_names(self, names: Collection[str]) -> None:
        unknown = sorted(set(names) - self._manifest.addons.keys())
        if unknown:
            known = ", ".join(self._manifest.addons)
            raise CommandError(f"{unknown[0]!r} is not an addon; known are: {known}", ExitCode.BAD_INPUT)

    def _check(self, record: Mapping[str, str], choices: Choices) -> None:
        newer = newer_versions(record, self._manifest)
        if newer:
            found = "; ".join(
                f"{name} {version} is on the cluster, {self._manifest.addons[name].version} is pinned here"
                for name, version in newer.items()
            )
            raise CommandError(
                f"{found}. A newer version is never replaced by an older one: update this checkout, or work without "
                "touching the addons: ALT_LAS_ADDONS=0. Nothing was changed"
            )
        for name in sorted(choices.external):
            if record.get(name, EXTERNAL) != EXTERNAL and self._manifest.addons[name].has_operator:
                raise CommandError(
                    f"{name} was installed from here and its operator may manage data; remove the addons "
                    "first: altlas addons remove. Nothing was changed"
                )

    def _objects(self, names: Sequence[str]) -> dict[str, AddonObjects]:
        files = AddonFiles(self._manifest).provide(names)
        return {
            name: addon_objects(self._manifest.addons[name], paths, webhooks=self._webhooks)
            for name, paths in files.items()
        }

    def _foreign(
        self, objects: Mapping[str, AddonObjects], existing: Mapping[str, Crd], adopt: Collection[str]
    ) -> set[str]:
        """Addons whose CRDs were installed by others and that are not to be adopted; reports them."""
        left = set()
        for name, content in objects.items():
            wanted = [each["metadata"]["name"] for each in content.definitions]
            others = [existing[each] for each in wanted if each in existing and not existing[each].is_ours]
            if others and name in adopt:
                self._check_adoption(name, others)
            elif others:
                self._report(self._not_changed(name, others))
                left.add(name)
        return left

    def _check_requirements(self, objects: Mapping[str, AddonObjects], existing: Collection[str]) -> None:
        if not self._webhooks:
            # A simulated operator has no requirements.
            return
        brought = {each["metadata"]["name"] for content in objects.values() for each in content.definitions}
        for addon in map(self._manifest.addons.__getitem__, objects):
            missing = [each for each in addon.requires if each not in brought and each not in existing]
            if missing:
                raise CommandError(
                    f"{addon.title} needs what the cluster does not have: {', '.join(missing)}; "
                    "install what brings it first. Nothing was changed"
                )

    def _check_adoption(self, name: str, others: Sequence[Crd]) -> None:
        addon = self._manifest.addons[name]
        version = _version(others, addon.version_annotation)
        if is_newer(version, addon.version):
            raise CommandError(
                f"{name} {version} is on the cluster, {addon.version} is pinned here; a newer version is never "
                "replaced by an older one. Nothing was changed"
            )

    def _not_changed(self, name: str, others: Sequence[Crd]) -> str:
        addon = self._manifest.addons[name]
        version = _version(others, addon.version_annotation) or "of an unknown version"
        return (
            f"{addon.title} {version} is on the cluster already and was not installed from here "
            f"({others[0].name}{f' and {len(others) - 1} more' if others[1:] else ''}); it is not changed. "
            f"To take it over at {addon.version}: altlas addons install --adopt {name}"
        )

    def _hand_over(self, names: Sequence[str], existing: Mapping[str, Crd]) -> None:
        """Give CRDs up that were installed from here: they stay, and a removal no longer takes them along."""
        for name, content in self._objects(names).items():
            given_up = [
                each["metadata"]["name"] for each in content.definitions if each["metadata"]["name"] in existing
            ]
            self._cluster.release(given_up)
            self._report(f"Handed {self._manifest.addons[name].title} over to the cluster: {len(given_up)} CRDs stay.")

    def _install(self, objects: Mapping[str, AddonObjects], adopt: Collection[str]) -> None:
        crds = {name: each.definitions for name, each in objects.items()}
        count = sum(map(len, crds.values()))
        self._report(f"Installing {', '.join(objects) or 'no addon'}: {count} CRDs, then their operators ...")
        if not self._webhooks:
            self._report(SIMULATED)
        self._cluster.apply(crds, adopt)

    def _update(self, external: Collection[str], optional: Collection[str]) -> None:
        self._settings.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._engine.stack_exists(self._stack):
            self._engine.create_stack(self._stack)
        settings = {"webhooks": self._webhooks, "external": sorted(external), "optional": sorted(optional)}
        options = [f"--config={PROJECT}:{key}={json.dumps(value)}" for key, value in settings.items()]
        if self._engine.run("up", "--stack", self._stack, *options, *_AGREED):
            raise CommandError("the operators are not completely installed; correct the cause and run this again")

    def _ask(self, consent: Consent, question: str) -> None:
        # The simulated cluster holds no data that a question could protect.
        if self._webhooks:
            consent.ask(question)

    def _report_external(self, external: Collection[str]) -> None:
        if external:
            self._report(f"Left to the cluster: {', '.join(sorted(external))}.")


def _version(crds: Sequence[Crd], annotation: str | None) -> str:
    versions = {each.annotations.get(annotation, "") for each in crds} if annotation else {""}
    return max(versions, key=lambda version: (is_newer(version, "0"), version)).removeprefix("v")


def _still_used(resources: Sequence[str]) -> str:
    shown = "".join(f"\n  {each}" for each in resources[:_SHOWN])
    more = f"\n  and {len(resources) - _SHOWN} more" if resources[_SHOWN:] else ""
    return (
        "custom resources of these addons exist and would be deleted with their CRDs, and their servers "
        f"(databases!) with them:{shown}{more}\nDelete them first, or let the addons stay. Nothing was changed"
    )
