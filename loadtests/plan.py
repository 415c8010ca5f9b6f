"""Plan of a load test: a profile, the addresses, and the limit of the stack that they belong to."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from components.settings import PlatformSettings
from loadtests.measure import LoadTarget
from loadtests.profiles import PROFILES, WHOLE_PATH, LoadGoal, LoadProfile
from rendering.errors import CommandError, ExitCode

_WHOLE = 100
WHOLE_PATH_REQUEST = "/api/v1/status"
"""Request of the whole path, where the URL names none; the stand-in of the gateway asks the services that it calls."""


def find_profile(name: str) -> LoadProfile:
    """A profile by its name.

    Raises:
        CommandError: There is none.
    """
    if name not in PROFILES:
        raise CommandError(f"--profile {name} is unknown; choose {' or '.join(PROFILES)}", ExitCode.BAD_INPUT)
    return PROFILES[name]


def parse_urls(given: Sequence[str], platform: PlatformSettings) -> dict[str, str]:
    """URLs by the name of a service or the whole path, each with the path to ask for.

    Args:
        given: `URL` for the whole path, `SERVICE=URL` for a service.
        platform: Settings of the stack, whose services have a path that answers.

    Raises:
        CommandError: A service is unknown, a URL is none, holds a password, or is given twice.
    """
    if not given:
        raise CommandError(
            "no address to load; give --url URL or --url SERVICE=URL, or --stand-ins", ExitCode.BAD_INPUT
        )
    services, found = platform.services.by_name(), dict[str, str]()
    for text in given:
        name, separator, url = text.partition("=")
        if not separator or "/" in name:
            name, url = WHOLE_PATH, text
        elif name not in services:
            raise CommandError(
                f"--url {name}=... names no service of the stack; choose one of {', '.join(services)}",
                ExitCode.BAD_INPUT,
            )
        if name in found:
            raise CommandError(f"--url is given twice for {name}; give one", ExitCode.BAD_INPUT)
        default = services[name].probes.readiness_path if name in services else WHOLE_PATH_REQUEST
        found[name] = _checked(url, default)
    return found


def _checked(url: str, path: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(f"--url {url} is no URL; write one such as https://{'alt-las.local'}", ExitCode.BAD_INPUT)
    if parts.username is not None or parts.password is not None:
        raise CommandError(
            "--url holds a user or a password, which results would show; give a URL without them", ExitCode.BAD_INPUT
        )
    return parts._replace(path=path).geturl() if parts.path in ("", "/") else url


def check_hosts(urls: Mapping[str, str], stack: str, hosts: Mapping[str, str]) -> None:
    """Refuse the address of another stack, whose limit would not be kept.

    Args:
        urls: URLs of the plan.
        stack: The stack whose limit counts.
        hosts: Stacks by their public hosts.

    Raises:
        CommandError: A URL leads to another stack.
    """
    for url in urls.values():
        owner = hosts.get(urlsplit(url).hostname or "", stack)
        if owner != stack:
            raise CommandError(
                f"--url {url} leads to the stack {owner}, but the limit of {stack} would count; "
                f"run `altlas loadtest {owner}`",
                ExitCode.BAD_INPUT,
            )


def load_targets(
    platform: PlatformSettings, stack: str, profile: str, urls: Mapping[str, str], percent: int = _WHOLE
) -> tuple[LoadTarget, ...]:
    """Targets of a plan, within the limit of the stack.

    Args:
        platform: Settings of the stack.
        stack: Its name.
        profile: Name of a profile.
        urls: URLs by the name of a service or the whole path.
        percent: Share of the profile's users and requests.

    Raises:
        CommandError: The stack allows no load test, or less than this one.
    """
    chosen = find_profile(profile)
    targets = tuple(_target(chosen, name, url, percent) for name, url in urls.items())
    file, limit = f"Pulumi.{stack}.yaml", platform.load_test
    if limit is None:
        raise CommandError(
            f"{file} allows no load test; add loadTest: {{maxUsers: ..., maxRequestsPerSecond: ...}} with what may be "
            "tried against this stack",
            ExitCode.BAD_INPUT,
        )
    for target in targets:
        for path, needed, most in (
            ("loadTest.maxUsers", target.users, limit.max_users),
            ("loadTest.maxRequestsPerSecond", target.goal.requests_per_second, limit.max_requests_per_second),
        ):
            if needed > most:
                raise CommandError(
                    f"{path} of {file} is {most}, but {percent} % of the profile {profile} is {needed} for "
                    f"{target.name}; choose another profile, lower --percent to {max(1, percent * most // needed)}, or "
                    "raise the limit",
                    ExitCode.BAD_INPUT,
                )
    return targets


def _target(profile: LoadProfile, name: str, url: str, percent: int) -> LoadTarget:
    goal = profile.goals[name]
    rate = max(1, goal.requests_per_second * percent // _WHOLE)
    users = max(1, profile.users_of(name) * percent // _WHOLE)
    return LoadTarget(name, url, users, LoadGoal(rate, goal.p95_milliseconds))
