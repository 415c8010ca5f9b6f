"""Start of the process that makes the requests, in the environment of load tests."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from loadtests.measure import LoadFigures, LoadTarget, read_figures
from rendering.errors import CommandError, ExitCode
from rendering.root import ROOT

ENVIRONMENT = ".venv-loadtests"
_FIRST_ANSWER_SECONDS = 10.0
_SPARE_SECONDS = 60.0
_LAST_LINES = 3


def locust_python(root: Path = ROOT) -> Path:
    """Interpreter of the environment that has Locust.

    Raises:
        CommandError: It is not installed.
    """
    python = root / ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise CommandError(f"Locust is not installed in {ENVIRONMENT}; run `make install-loadtests`", ExitCode.NO_TOOLS)
    return python


def first_answer(target: LoadTarget) -> None:
    """Ask once, so that a wrong address is no result of a test.

    Raises:
        CommandError: There is no answer, or not a good one.
    """
    begin = f"--url {target.name}={target.url}"
    try:
        # Plans hold http and https URLs only.
        urllib.request.urlopen(target.url, timeout=_FIRST_ANSWER_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        raise CommandError(
            f"{begin} answers {error.code}; give a URL with a path that answers without a login", ExitCode.BAD_INPUT
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"{begin} does not answer ({reason}); start it, forward a port to it, or correct the URL",
            ExitCode.NO_CLUSTER,
        ) from None


def generate(python: Path, target: LoadTarget, warm_up: int, seconds: int) -> LoadFigures:
    """Put one target under load.

    Args:
        python: Interpreter with Locust.
        target: The address, its users and its goal.
        warm_up: Seconds before the measurement, in which the users begin.
        seconds: Seconds of the measurement.

    Raises:
        CommandError: Locust itself failed.
    """
    done = subprocess.run(
        [python, "-m", "loadtests.locust_run"],
        input=json.dumps(target.document(warm_up, seconds)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=warm_up + seconds + _SPARE_SECONDS,
        check=False,
    )
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
        raise CommandError(f"Locust ended with {done.returncode} while it loaded {target.name}:\n{said}")
    return read_figures(done.stdout)
