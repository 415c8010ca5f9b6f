"""Wait of the command for the Job of a restore, and what it says when it waits no longer."""

from collections.abc import Mapping
from typing import Any

import pytest

from altlas.backup.job import Jobs, Task
from rendering.errors import CommandError, ExitCode
from tests.altlas.job_cluster import RESTORE, Cluster, cron_job_of


@pytest.fixture(scope="module")
def cron_job() -> dict[str, Any]:
    """The CronJob of PostgreSQL's dumps, as it is deployed."""
    return cron_job_of("postgres-backup")


def hurry(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """So many seconds pass between two looks at the clock, and none in a sleep."""
    now = iter(range(0, 100_000, seconds))
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_a_job_that_never_ends_is_not_waited_for_for_ever(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as its own deadline."""
    hurry(monkeypatch, 1000)
    with pytest.raises(CommandError, match="failed: its pod has no log"):
        Cluster(cron_job, ends=None).jobs().run(RESTORE)


def test_a_list_is_shown_whole_and_of_a_failure_the_last_lines(cron_job: dict[str, Any]) -> None:
    """There may be hundreds of backups."""
    asked: list[str] = []

    class Telling(Cluster):
        """Notes how many lines of a log are asked for."""

        def text(self, *arguments: str, stdin: str | None = None) -> str:
            """As the other."""
            asked.extend(each for each in arguments if each.startswith("--tail"))
            return super().text(*arguments, stdin=stdin)

    Telling(cron_job).jobs().run(Task("list", "postgres"))
    with pytest.raises(CommandError):
        Telling(cron_job, ends="Failed").jobs().run(RESTORE)
    assert asked == ["--tail=-1", "--tail=20"]


class Away(Cluster):
    """A cluster that does not answer for the next questions about a Job.

    Attributes:
        left: How many questions; fewer with each.
    """

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """From here on it is away."""
        self.__dict__["left"] = self.__dict__.get("away", 0)
        return super().create(manifest)

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """As the other, once it is back."""
        if arguments[:2] == ("get", "job") and self.__dict__.get("left", 0) > 0:
            self.__dict__["left"] -= 1
            raise CommandError("the connection was refused", ExitCode.NO_CLUSTER)
        return super().text(*arguments, stdin=stdin)


def test_a_cluster_that_is_away_for_a_moment_does_not_end_the_wait(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Job goes on without it; so the answer of a restore is not lost."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    cluster = Away(cron_job, log="done")
    cluster.__dict__["away"] = 3
    assert cluster.jobs().run(RESTORE) == "done"


def test_a_cluster_that_stays_away_ends_the_wait_and_the_job_is_named(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command cannot know whether the restore goes on, so it says how to look."""
    hurry(monkeypatch, 50)
    cluster = Away(cron_job)
    cluster.__dict__["away"] = 1000
    with pytest.raises(
        CommandError, match=r"refused\. The Job postgres-restore-now may be running: look at it"
    ) as error:
        cluster.jobs().run(RESTORE)
    assert error.value.code == ExitCode.NO_CLUSTER


def test_an_interrupted_wait_says_that_the_job_continues(
    cron_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the command, not the restore."""
    said: list[str] = []
    cluster = Cluster(cron_job, ends=None)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Jobs(cluster, "alpha", "alt-las", said.append).run(RESTORE)
    assert "kubectl delete job postgres-restore-now --namespace alt-las" in said[-1]
    assert cluster.calls == ["create"]
