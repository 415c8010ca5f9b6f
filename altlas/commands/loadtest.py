"""The command `altlas loadtest`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.options import JsonOption, StackArgument, TargetOption, known_stacks, one_stack
from altlas.load_test.in_cluster import ClusterLoad, inside_url
from altlas.pictures.load_test import LoadTestResults, load_test_document, load_test_page, load_test_text
from altlas.session.console import report, workspace
from altlas.session.durable_file import write_durably
from altlas.session.session import choose_target, engine_session
from altlas.update.cluster_identity import state_on_its_cluster
from components.settings import PlatformSettings
from components.stack.loading import read_platform
from loadtests.generator import first_answer, generate, locust_python
from loadtests.measure import LoadFigures, LoadTarget
from loadtests.plan import check_hosts, find_profile, load_targets, parse_urls
from loadtests.profiles import WHOLE_PATH
from loadtests.stand_ins import GATEWAY, missing_runtimes, running_stand_ins
from rendering.errors import CommandError, ExitCode

UrlOption = Annotated[
    list[str] | None,
    typer.Option(metavar="[SERVICE=]URL", help="Address of a service, or of the whole path; may be repeated."),
]


def loadtest(
    stack: StackArgument = None,
    *,
    profile: Annotated[str, typer.Option(help="Load of a phase: alpha or beta.")] = "alpha",
    url: UrlOption = None,
    stand_ins: Annotated[
        bool, typer.Option("--stand-ins", help="Load stand-ins of the services on this machine.")
    ] = False,
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Load the gateway by a Job in the stack's namespace.")
    ] = False,
    target: TargetOption = None,
    percent: Annotated[int, typer.Option(min=1, max=100, help="Share of the profile's users and requests.")] = 100,
    warm_up: Annotated[int, typer.Option(min=1, help="Seconds that do not count, before each measurement.")] = 60,
    seconds: Annotated[int, typer.Option(min=5, help="Seconds of each measurement.")] = 300,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for results.json and results.html.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load services with GET requests and compare answers per second, failures and p95 with a profile's goals.

    One address after the other, never more than loadTest of the stack file allows. Ends with 1 if a goal is missed.
    """
    here, name = workspace(), one_stack(stack, None)
    platform = read_platform(here.stack_file(name))
    find_profile(profile)
    if [stand_ins, bool(url), in_cluster].count(True) != 1:
        raise CommandError("give either --url or --stand-ins or --in-cluster", ExitCode.BAD_INPUT)
    folder = out or here.private / "loadtests" / name
    if stand_ins:
        with running_stand_ins(platform, here.private / "stand-ins") as addresses:
            urls = _of_stand_ins(platform, addresses)
            found = _measure(load_targets(platform, name, profile, urls, percent), warm_up, seconds)
    elif in_cluster:
        (inside,) = load_targets(platform, name, profile, {WHOLE_PATH: inside_url(platform)}, percent)
        found = ((inside, _opened(name, platform, target).generate(inside, warm_up, seconds)),)
    else:
        urls = parse_urls(url or (), platform)
        check_hosts(urls, name, _hosts())
        found = _measure(load_targets(platform, name, profile, urls, percent), warm_up, seconds)
    results = LoadTestResults(name, profile, percent, warm_up, seconds, datetime.now(UTC), found, stand_ins)
    document = json.dumps(load_test_document(results), indent=2)
    _write(folder, {"results.json": document + "\n", "results.html": load_test_page(results)})
    typer.echo(document if as_json else load_test_text(results))
    report(f"Wrote {folder}/results.json and results.html")
    if results.failed:
        raise CommandError(f"goals of the profile {profile} are missed by {', '.join(results.failed)}; see above")


def _opened(stack: str, platform: PlatformSettings, target: str | None) -> ClusterLoad:
    """The deployed stack, on its own cluster, which is running."""
    here = workspace()
    chosen = choose_target(here, target)
    session = engine_session(here, chosen, report)
    state_on_its_cluster(session, stack, platform)
    return ClusterLoad(session.kubectl, stack, platform.namespace, report)


def _of_stand_ins(platform: PlatformSettings, addresses: Mapping[str, str]) -> dict[str, str]:
    missing = missing_runtimes(platform)
    for service, program in missing.items():
        report(f"Not measured here: {service}, whose stand-in needs {program}")
    if missing:
        report("Not measured here: the whole path, which needs all stand-ins")
    given = [f"{service}={address}" for service, address in addresses.items()]
    return parse_urls(given if missing else [addresses[GATEWAY], *given], platform)


def _hosts() -> dict[str, str]:
    """Stacks of this checkout by their public hosts; a stack file that is wrong names none."""
    here, found = workspace(), dict[str, str]()
    for stack in known_stacks():
        ingress = read_platform(here.stack_file(stack)).ingress
        found |= dict.fromkeys({ingress.host, *map(ingress.host_of, ingress.routes)}, stack)
    return found


def _measure(targets: tuple[LoadTarget, ...], warm_up: int, seconds: int) -> tuple[tuple[LoadTarget, LoadFigures], ...]:
    python = locust_python()
    for target in targets:
        first_answer(target)
    found = []
    for target in targets:
        report(
            f"{target.name}: {target.goal.requests_per_second} requests per second by {target.users} users, "
            f"{warm_up} s of warm-up and {seconds} s"
        )
        found.append((target, generate(python, target, warm_up, seconds)))
    return tuple(found)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        for name, text in files.items():
            write_durably(folder / name, text.encode(), mode=0o666)
    except OSError as error:
        raise CommandError(f"cannot write into {folder}: {error.strerror}", ExitCode.BAD_INPUT) from None
