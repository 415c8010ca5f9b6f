"""Records of an applied plan for other systems: an in-toto verdict, deployments for GitHub, an annotation for Grafana.

Owns the forms. Does not own signing or sending them: all are printed as JSON. Forms: in-toto Simple Verification
Result v0.2 (https://in-toto.io/attestation/svr/v0.2), and the body of GitHub's deployment records (REST,
"organization artifact metadata"), and the body of Grafana's annotations (`POST /api/annotations`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from altlas.release.deployments import changed
from altlas.release.ledger import LedgerEntry
from rendering.errors import CommandError, ExitCode

_STATEMENT = "https://in-toto.io/Statement/v1"
_VERDICT = "https://in-toto.io/attestation/svr/v0.2"
_VERIFIER = "urn:alt-las:altlas-apply"

SEAL_MATCHED = "ALT_LAS_SEAL_MATCHED"
"""Everything that the plan was sealed over was the same when it was applied, and the engine was held to the plan."""

APPROVALS_MET = "ALT_LAS_APPROVALS_MET"
"""As many persons had signed the plan as the stack's rules ask for, none of them its author."""

SERVICES_READY = "ALT_LAS_SERVICES_READY"
"""All services ran the new release and were ready at the end."""


def applied(entries: tuple[LedgerEntry, ...], number: int) -> tuple[LedgerEntry, LedgerEntry]:
    """Entries of begin and end of a sealed plan that was applied well.

    Raises:
        CommandError: The entry is not the begin of one.
    """
    begin = next((each for each in entries if each.number == number), None)
    end = next((each for each in entries if each.body.get("began") == number), None)
    if begin is None or end is None or "plan" not in begin.body or end.body["result"] != "succeeded":
        raise CommandError(
            f"entry {number} is not the begin of a sealed plan that was applied; `altlas ledger show` lists them",
            ExitCode.BAD_INPUT,
        )
    return begin, end


def verdict(stack: str, begin: LedgerEntry, end: LedgerEntry) -> dict[str, Any]:
    """In-toto statement about an applied plan and its images."""
    images = [
        {"name": f"{image['name']}:{image['version']}", "digest": {"sha256": image["digest"].removeprefix("sha256:")}}
        for image in _images(begin.body)
    ]
    return {
        "_type": _STATEMENT,
        "subject": [
            {"name": f"alt-las/{stack}/release/{begin.number}", "digest": {"sha256": begin.body["plan"]}},
            *images,
        ],
        "predicateType": _VERDICT,
        "predicate": {
            "verifier": {"id": _VERIFIER},
            "timeCreated": end.time,
            "properties": [SEAL_MATCHED, APPROVALS_MET, SERVICES_READY],
        },
    }


def deployment_records(stack: str, begin: LedgerEntry) -> list[dict[str, Any]]:
    """A record for each image with a digest; an image that is known by its tag only cannot be recorded."""
    return [
        {
            **image,
            "status": "deployed",
            "logical_environment": stack,
            "physical_environment": begin.body["target"],
            "cluster": begin.body["cluster"],
        }
        for image in _images(begin.body, f"alt-las-{stack}-")
    ]


def annotation(stack: str, begin: LedgerEntry, end: LedgerEntry) -> dict[str, Any]:
    """Annotation of a region: from begin to end of the deployment, in milliseconds, as Grafana counts time."""
    number = changed(end.body.get("changes", {}))
    start, stop = (round(each.moment.timestamp() * 1000) for each in (begin, end))
    text = f"Release {begin.number} of {stack}: {number} objects changed, plan {begin.body['plan'][:12]}"
    return {"time": start, "timeEnd": stop, "tags": ["alt-las", stack, begin.body["reason"]], "text": text}


def _images(body: Mapping[str, Any], prefix: str = "") -> Iterator[dict[str, str]]:
    for path, reference in sorted((body.get("images") or {}).items()):
        image, _, digest = reference.partition("@")
        name, _, version = image.rpartition(":")
        if digest:
            deployment = f"{prefix}{path.removeprefix('services.').removesuffix('.image').replace('.', '-')}"
            yield {"name": name, "digest": digest, "version": version, "deployment_name": deployment}
