"""The platform on a desk: what compose.yaml says, and that Docker Compose itself accepts it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import tools
from altlas.compose.compose import compose
from components.stack.image_build import RUNTIME_OF
from components.stack.loading import read_platform
from rendering.recorder import Recorder
from tests.images.conftest import Altlas
from tests.support.documents import ROOT, STACKS

STORES = ("postgres-db", "redis", "nats")
CALLS = {
    ("ai-orchestrator", "api-gateway"),
    ("ai-orchestrator", "runner-service"),
    ("ai-orchestrator", "segmentation-service"),
    ("archive-service", "api-gateway"),
    ("nats", "archive-service"),
    ("nats", "runner-service"),
    ("postgres-db", "archive-service"),
    ("postgres-db", "segmentation-service"),
    ("redis", "api-gateway"),
    ("runner-service", "api-gateway"),
    ("segmentation-service", "api-gateway"),
}
"""Callee and caller: the service graph of the stack files."""


def written(altlas: Altlas, stack: str, folder: Path) -> dict[str, Any]:
    """The compose file of a stack."""
    done = altlas("stack", "compose", stack, "--out", str(folder))
    assert done.code == 0, done.error
    document: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    return document


@pytest.fixture
def texts(programs: Mapping[str, Recorder]) -> dict[str, tuple[str, str]]:
    """The compose file and the example of each stack."""
    return {
        stack: compose(stack, read_platform(ROOT / f"Pulumi.{stack}.yaml"), program.objects)
        for stack, program in programs.items()
    }


@pytest.fixture(params=STACKS)
def document(request: pytest.FixtureRequest, texts: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """The compose file of each stack, as data."""
    found: dict[str, Any] = yaml.safe_load(texts[request.param][0])
    return found


def test_the_five_services_and_three_stores_start_without_a_profile(document: dict[str, Any]) -> None:
    """Metrics start only when asked for."""
    always = [name for name, service in document["services"].items() if "profiles" not in service]
    assert always == [*RUNTIME_OF, *STORES]
    profiles = {name: each["profiles"] for name, each in document["services"].items() if "profiles" in each}
    assert profiles == {name: ["observability"] for name in ("prometheus", "loki", "grafana")}


def test_a_command_of_the_stack_file_takes_the_place_of_the_image_s(texts: dict[str, tuple[str, str]]) -> None:
    """Beta's image of the segmentation looks for its program in the working directory, where there is none."""
    found = {stack: yaml.safe_load(text)["services"] for stack, (text, _) in texts.items()}
    entries = {
        stack: {n: each["entrypoint"] for n, each in found[stack].items() if "entrypoint" in each} for stack in STACKS
    }
    assert entries == {"alpha": {}, "beta": {"segmentation-service": ["python", "/app/main.py"]}}


def test_a_root_is_read_only_unless_compose_must_write_a_configuration_into_it(document: dict[str, Any]) -> None:
    """Docker Compose copies these when it starts a container, and refuses to start a read-only one."""
    copied = {name for name, service in document["services"].items() if service.get("configs")}
    assert copied == {*STORES, "prometheus", "loki", "grafana"}
    assert all("content" in configuration for configuration in document["configs"].values())
    assert {name for name, service in document["services"].items() if service.get("read_only")} == {*RUNTIME_OF}


def test_every_container_is_hardened_limited_and_checked(document: dict[str, Any]) -> None:
    """Without exception, the stores too."""
    for name, service in document["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # Loki's image has no program that could ask; Prometheus scrapes it instead.
        assert name == "loki" or service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert int(service["user"].partition(":")[0]) > 0, name
        assert not service["image"].endswith(":latest"), name


def test_a_network_for_each_call_of_the_service_graph_and_none_besides(document: dict[str, Any]) -> None:
    """Two containers share a network only where one may call the other."""
    members: dict[str, set[str]] = {}
    for name, service in document["services"].items():
        for network in service["networks"]:
            members.setdefault(network, set()).add(name)
    calls = {network: found for network, found in members.items() if "-to-" in network}
    assert {tuple(sorted(found)) for found in calls.values()} == {tuple(sorted(call)) for call in CALLS}
    assert members["outside"] == {"api-gateway", "ai-orchestrator", "grafana", "loki"}
    exporting = {name for name, service in document["services"].items() if "metrics" in service["networks"]}
    assert members["metrics"] == exporting >= {"prometheus", "loki", "grafana"}
    assert not exporting & set(STORES)
    assert {name for name, each in document["networks"].items() if not each.get("internal")} == {"outside"}


def test_every_service_waits_until_what_it_calls_is_healthy(document: dict[str, Any]) -> None:
    """The same edges as the networks."""
    waiting = {
        (callee, caller)
        for caller in RUNTIME_OF
        for callee, condition in document["services"][caller]["depends_on"].items()
        if condition == {"condition": "service_healthy"}
    }
    assert waiting == CALLS


def test_no_variable_names_a_host_that_compose_does_not_start(document: dict[str, Any]) -> None:
    """A program that cannot find the one that it was told of fills its log with that."""
    told = {
        found
        for name in RUNTIME_OF
        for text in document["services"][name]["environment"].values()
        for found in re.findall(r"^[a-z]+://(?:[^@/]*@)?([a-z0-9.-]+)", text)
    }
    # Browsers come from the host of the ingress; nobody looks it up.
    origin = document["services"]["api-gateway"]["environment"]["CORS_ORIGIN"].removeprefix("https://")
    assert told == {*RUNTIME_OF, *STORES, "127.0.0.1", origin} - {"api-gateway"}


def test_only_the_gateway_grafana_and_loki_are_published_and_on_this_machine_only(document: dict[str, Any]) -> None:
    """No port of a store leaves its network."""
    assert {name: each["ports"] for name, each in document["services"].items() if "ports" in each} == {
        "api-gateway": ["127.0.0.1:3000:3000"],
        "grafana": ["127.0.0.1:3001:3000"],
        "loki": ["127.0.0.1:3100:3100"],
    }


def test_no_secret_has_a_default(texts: dict[str, tuple[str, str]]) -> None:
    """Every variable must be given; the example names all of them and gives no value."""
    text, example = texts["alpha"]
    names = [line for line in example.splitlines() if line and not line.startswith("#")]
    assert len(names) == 9
    assert all(line.endswith("=") for line in names)
    assert all(f"${{{line}:?".replace("=", "") in text for line in names)
    assert text.count("${") == text.count(":?set it in .env}")


def test_the_same_settings_give_the_same_bytes(
    altlas: Altlas, tmp_path: Path, texts: dict[str, tuple[str, str]]
) -> None:
    """The command and another run of the program: a change in the file is a change in the settings."""
    written(altlas, "beta", tmp_path)
    names = ("compose.yaml", ".env.example")
    assert tuple((tmp_path / name).read_text(encoding="utf-8") for name in names) == texts["beta"]


def test_the_server_of_the_queue_accepts_its_configuration(document: dict[str, Any], tmp_path: Path) -> None:
    """The real server reads it, with the users that the services are."""
    server = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if server is None:
        pytest.skip("not proven here: nats-server is not installed")
    content = document["configs"]["nats-configuration"]["content"]
    for text, expected in ((content, 0), (content.replace("store_dir", "no_such_key"), 1)):
        (tmp_path / "nats.conf").write_text(text.replace("$", ""), encoding="utf-8")
        done = subprocess.run([server, "-t", "--config", str(tmp_path / "nats.conf")], capture_output=True, check=False)
        assert done.returncode == expected, done.stderr


def test_a_phase_differs_on_the_desk_as_in_the_cluster(texts: dict[str, tuple[str, str]]) -> None:
    """Image and limits are those of the stack."""
    services = {stack: yaml.safe_load(text)["services"] for stack, (text, _) in texts.items()}
    limits = {stack: each["api-gateway"]["deploy"]["resources"]["limits"] for stack, each in services.items()}
    assert limits == {
        "alpha": {"cpus": "0.5", "memory": "512M", "pids": 512},
        "beta": {"cpus": "1", "memory": "1024M", "pids": 512},
    }
    assert services["beta"]["api-gateway"]["image"] == "frozen68/api-gateway:beta.v9"


@pytest.mark.e2e
@pytest.mark.parametrize("profile", [None, "observability"])
@pytest.mark.parametrize("stack", STACKS)
def test_docker_compose_config_accepts_the_file(
    altlas: Altlas, tmp_path: Path, stack: str, profile: str | None
) -> None:
    """The real program, which needs no Docker engine for it; not proven here: containers that start from it."""
    document = written(altlas, stack, tmp_path)
    done = configured(tmp_path, given(tmp_path), profile)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    read = json.loads(done.stdout)
    wanted = {name for name, each in document["services"].items() if profile in each.get("profiles", [profile])}
    assert (read["name"], set(read["services"])) == (f"alt-las-{stack}", wanted)
    assert read["services"]["api-gateway"]["environment"]["REDIS_URL"] == (
        "redis://api-gateway:value-of-REDIS_API_GATEWAY_PASSWORD@redis:6379"
    )
    # It prints a file that it could read again: a dollar sign that is no variable is written twice.
    assert '"$$SEGMENTATION_PASSWORD"' in read["configs"]["postgres-roles"]["content"]


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("read_only:", "readonly:", "readonly"),
        ("condition: service_healthy", "condition: service_well", "depends_on"),
        ("      redis:\n        condition", "      no-such-service:\n        condition", "no-such-service"),
    ],
)
def test_docker_compose_config_refuses_a_broken_file(
    altlas: Altlas, tmp_path: Path, *, old: str, new: str, reason: str
) -> None:
    """So the acceptance above means something: a wrong key, a wrong value, a service that is not there."""
    written(altlas, "alpha", tmp_path)
    file = tmp_path / "compose.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = configured(tmp_path, given(tmp_path))
    assert (done.returncode != 0, reason in done.stderr) == (True, True), done.stderr


@pytest.mark.e2e
def test_docker_compose_config_refuses_a_secret_without_a_value(altlas: Altlas, tmp_path: Path) -> None:
    """Each of them: nobody starts with an empty password."""
    written(altlas, "alpha", tmp_path)
    for name in (values := given(tmp_path)):
        done = configured(tmp_path, values | {name: ""})
        assert done.returncode != 0
        assert f"required variable {name} is missing a value: set it in .env" in done.stderr


def given(folder: Path) -> dict[str, str]:
    """A value for each variable of the example."""
    lines = (folder / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.rstrip("=") for line in lines if line and not line.startswith("#")]
    return {name: f"value-of-{name}" for name in names}


def configured(
    folder: Path, variables: Mapping[str, str], profile: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Configuration that Docker Compose reads from the file, or why it does not take it."""
    program = tools.ensure(["docker-compose"]).path("docker-compose")
    profiles = ["--profile", profile] if profile else []
    return subprocess.run(
        [str(program), *profiles, "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
