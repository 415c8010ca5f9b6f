"""The nats command in the container of the Job that makes the streams."""

import os
import subprocess
from pathlib import Path

import pytest

import tools
from components.stores.nats import objects
from tests.data.nats_servers import nats_of
from tests.support.loopback import fresh, platform_settings
from tests.support.program import surroundings_without_engine

pytestmark = pytest.mark.data


def test_the_nats_command_runs_as_a_user_that_the_image_does_not_know(tmp_path: Path) -> None:
    """With the variables of the Job's container; without its own folder for configurations the command ends at once."""
    if os.geteuid() != 0:
        pytest.skip("not proven here: the nats command as another user: only root can start it so")
    nats_command = tools.ensure(("nats",)).path("nats")
    alpha = platform_settings("alpha")
    job = objects.streams_job(nats_of(alpha), surroundings_without_engine(alpha), "")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    home = fresh(tmp_path / "home")
    home.chmod(0o777)
    variables = {each["name"]: str(each["value"]).replace("/home/nats", str(home)) for each in container["env"]}

    def run(environment: dict[str, str]) -> int:
        """As the user of the pod, who has no entry in /etc/passwd; the command is given as an open file."""
        with nats_command.open("rb") as program:
            command = [f"/proc/self/fd/{program.fileno()}", "--version"]
            return subprocess.run(
                command, env=environment, user=64_999, check=False, capture_output=True, pass_fds=[program.fileno()]
            ).returncode

    assert run(variables) == 0
    assert run({name: value for name, value in variables.items() if name != "XDG_CONFIG_HOME"}) != 0
