"""A rotation in a stack that takes approved plans only: it brings new secrets, and nothing else of the checkout."""

import pytest

from altlas.release.released import check_rotation
from rendering.errors import CommandError, ExitCode
from tests.altlas.release_stand_ins import Release
from tests.altlas.test_seal import ADA, keys, release

__all__ = ["keys", "release"]


@pytest.fixture
def released(release: Release) -> Release:  # the fixture of the same name
    """A checkout that is what its last release was."""
    release.set("    namespace: alt-las\n", "    namespace: alt-las\n    release: {plansOnly: true}\n")
    release.plan(ADA)
    release.apply()
    return release


def check(released: Release) -> None:
    """Check as `altlas secrets rotate` does."""
    check_rotation(released.session.workspace, "alpha", released.ledger, "")


def refused(released: Release, said: str) -> None:
    """Expect a refusal that says what to do."""
    with pytest.raises(CommandError, match=said) as error:
        check(released)
    assert error.value.code == ExitCode.REFUSED
    assert "Nothing was changed. Release it by `altlas plan alpha`, or check out what was released" in str(error.value)


def test_the_released_checkout_may_be_rotated_with_other_generated_secrets(released: Release) -> None:
    """Also after a rotation that failed, whose secrets and notes are in the stack file."""
    check(released)
    changed = "  alt-las:redisInternalSecret: {secure: v1:new}\n  alt-las:rotating: redisInternalSecret\n"
    released.stack_file.write_text(released.stack_file.read_text() + changed)
    begun = {"result": "started", "reason": "planned", "rotated": ["redisInternalSecret"]}
    began = released.ledger.append("apply", "ada", begun).number
    check(released)
    released.ledger.append("apply", "ada", {"result": "failed", "began": began, "changes": {}})
    check(released)


def test_everything_else_in_the_checkout_is_refused_by_its_name(released: Release) -> None:
    """A setting, a secret that only a person supplies, and the program."""
    released.set("cpuUtilizationPercent: 70", "cpuUtilizationPercent: 75")
    refused(released, r"the setting autoscaling.cpuUtilizationPercent has changed since release \d+, and would be")
    released.set("cpuUtilizationPercent: 75", "cpuUtilizationPercent: 70")
    text = released.stack_file.read_text()
    released.stack_file.write_text(text + "  alt-las:openaiApiKey: {secure: v1:new}\n")
    refused(released, "the key of the stack file alt-las:openaiApiKey is new since")
    released.stack_file.write_text(text)
    (released.root / "components" / "boats.py").write_text("BOATS = 3\n")
    refused(released, "the program's file components/boats.py has changed since")


def test_nothing_is_rotated_where_it_is_unknown_what_runs(released: Release) -> None:
    """After a deployment that failed, and before the first one."""
    released.ledger.append("apply", "ada", {"result": "started", "reason": "planned"})
    refused(released, r"and deployment \d+ has not ended well")
    released.ledger.path.unlink()
    released.ledger.head_path.unlink()
    refused(released, "and no deployment of it is recorded")


def test_other_stacks_are_not_compared(released: Release) -> None:
    """The control run: without `plansOnly` a rotation deploys the checkout, as `altlas up` does."""
    released.set("plansOnly: true", "plansOnly: false")
    (released.root / "components" / "boats.py").write_text("BOATS = 3\n")
    check(released)
