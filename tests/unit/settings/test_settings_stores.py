"""Settings of Redis and NATS: what is refused, and that the message says where, what and what would be right."""

from typing import Any

import pytest

from components.settings.platform import PlatformSettings
from components.stack.loading import parse_platform
from components.stack.problems import SettingsError
from tests.support.documents import STACKS, alpha_with, platform_of

BAD = [
    (
        {"redis.replicas": 2},
        "alt-las:platform.redis.replicas: is 2; use 1 or 3: an even number of servers tolerates no more failures than "
        "one server fewer",
    ),
    (
        {"nats.replicas": 4},
        "alt-las:platform.nats.replicas: is 4; use 1 or 3: an even number of servers tolerates no more failures than "
        "one server fewer",
    ),
    (
        {"redis.maxMemory": "400Mi"},
        "alt-las:platform.redis: maxMemory (400Mi) is above 75% of resources.limits.memory (512Mi), so the kernel "
        "would kill the server before it evicts anything; lower maxMemory or raise the limit",
    ),
    (
        {"redis.storageSize": "400Mi"},
        "alt-las:platform.redis: storageSize (400Mi) is below 2 times maxMemory (256Mi), so a rewrite of the "
        "append-only file could fill the volume; raise storageSize or lower maxMemory",
    ),
    (
        {"nats.streams": [{"name": "LAST_FILES", "subjects": ["last.files"], "replicas": 3, "maxBytes": "1Gi"}]},
        "alt-las:platform.nats: streams[0].replicas of LAST_FILES is 3, but replicas is 1, so there are not enough "
        "servers to keep them on; lower it or run more servers",
    ),
    (
        {"nats.storageSize": "1Gi"},
        "alt-las:platform.nats: streams may hold 1024Mi together, but of storageSize (1Gi) only 921Mi are for them; "
        "lower maxBytes or raise storageSize",
    ),
    (
        {
            "nats.streams": [
                {"name": name, "subjects": ["last.files"], "replicas": 1, "maxBytes": "1Gi"} for name in ("A", "B")
            ]
        },
        "alt-las:platform.nats: streams use the subject last.files twice; give each to one stream only",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_a_bad_setting_is_refused_with_what_would_be_right(changes: dict[str, Any], message: str) -> None:
    """One problem, one line."""
    with pytest.raises(SettingsError) as caught:
        parse_platform(alpha_with(changes))
    assert [str(problem) for problem in caught.value.problems] == [message]


@pytest.mark.parametrize(
    ("name", "subject"), [("last-files", "last.files"), ("LAST_FILES", "last..files"), ("LAST_FILES", "$JS.API.>")]
)
def test_a_stream_has_a_usable_name_and_usable_subjects(name: str, subject: str) -> None:
    """Above all none of the server's own subjects."""
    stream = {"name": name, "subjects": [subject], "replicas": 1, "maxBytes": "1Gi"}
    with pytest.raises(SettingsError, match=r"is not a (stream name|subject)"):
        parse_platform(alpha_with({"nats.streams": [stream]}))


def test_a_stack_may_run_neither_store() -> None:
    """Then a person gives the addresses."""
    platform = parse_platform(alpha_with({"redis": None, "nats": None}))
    assert (platform.redis, platform.nats) == (None, None)


def of(stack: str) -> PlatformSettings:
    """Settings of a stack file."""
    return parse_platform(platform_of(stack))


@pytest.mark.parametrize(("stack", "expected"), list(zip(STACKS, [(False, 0, 1), (True, 1, 2)], strict=True)))
def test_what_several_redis_servers_need_follows_from_their_number(stack: str, expected: tuple[bool, int, int]) -> None:
    """A write needs a majority in touch, a failover a majority of sentinels."""
    redis = of(stack).redis
    assert redis is not None
    assert (redis.is_replicated, redis.replicas_to_write, redis.quorum) == expected


def test_the_volumes_of_both_phases_have_the_same_size() -> None:
    """A claim cannot change with the phase, so a difference would stop every transition."""
    alpha, beta = of("alpha"), of("beta")
    assert alpha.redis
    assert beta.redis
    assert alpha.nats
    assert beta.nats
    assert (alpha.redis.storage_size, alpha.nats.storage_size) == (beta.redis.storage_size, beta.nats.storage_size)
