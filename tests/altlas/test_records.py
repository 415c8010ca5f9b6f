"""Records of an applied plan for other systems: verdict, deployment records, annotation."""

import pytest

from altlas.release.plan import read_plan
from altlas.release.records import (
    APPROVALS_MET,
    SEAL_MATCHED,
    SERVICES_READY,
    annotation,
    applied,
    deployment_records,
    verdict,
)
from rendering.errors import CommandError
from tests.altlas.release_stand_ins import Release
from tests.altlas.test_seal import ADA, keys, release

__all__ = ["keys", "release"]


def test_an_applied_plan_has_a_verdict_and_deployment_records(release: Release) -> None:
    """With the digests of its images; what was not applied has none."""
    release.set(
        "{repository: registry.invalid/alt-las/api-gateway, tag: 1.0.0-alpha}",
        f"{{repository: registry.invalid/alt-las/api-gateway, tag: 1.0.0-alpha, digest: 'sha256:{'a' * 64}'}}",
    )
    release.plan(ADA)
    number, plan = release.apply().number, read_plan(release.path).plan
    begin, end = applied(release.ledger.entries(), number)
    statement = verdict("alpha", begin, end)
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://in-toto.io/attestation/svr/v0.2",
    )
    image = "registry.invalid/alt-las/api-gateway"
    assert statement["subject"] == [
        {"name": "alt-las/alpha/release/1", "digest": {"sha256": plan.digest}},
        {"name": f"{image}:1.0.0-alpha", "digest": {"sha256": "a" * 64}},
    ]
    assert statement["predicate"]["properties"] == [SEAL_MATCHED, APPROVALS_MET, SERVICES_READY]
    region = annotation("alpha", begin, end)
    assert (region["time"], region["timeEnd"]) == (begin.moment.timestamp() * 1000, end.moment.timestamp() * 1000)
    assert region["tags"] == ["alt-las", "alpha", "planned"]
    assert region["text"] == f"Release 1 of alpha: 1 objects changed, plan {plan.digest[:12]}"
    assert deployment_records("alpha", begin) == [
        {
            "name": image,
            "digest": f"sha256:{'a' * 64}",
            "version": "1.0.0-alpha",
            "deployment_name": "alt-las-alpha-api-gateway",
            "status": "deployed",
            "logical_environment": "alpha",
            "physical_environment": "sim",
            "cluster": "cluster-1",
        }
    ]
    with pytest.raises(CommandError, match="entry 2 is not the begin of a sealed plan that was applied"):
        applied(release.ledger.entries(), 2)
