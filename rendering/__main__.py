"""A recording of a stack as a process: `python -m rendering` reads one line of JSON and prints the objects.

For a rendering beside another one, or with the program of another checkout (its root is the working directory).
"""

import gc
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pulumi

from components.stack.loading import read_platform
from components.stack.problems import SettingsError
from rendering.errors import ExitCode
from rendering.recorder import record


def main() -> int:
    """Record the stack of the request: `stack`, and its settings as `platform` or in `file`."""
    request = json.loads(sys.stdin.readline())
    try:
        platform = request.get("platform") or read_platform(Path(request["file"]))
        registrations = record(request["stack"], platform).registrations
    except (SettingsError, pulumi.RunError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    json.dump([asdict(each) for each in registrations], sys.stdout)
    return ExitCode.OK


if __name__ == "__main__":
    gc.disable()  # everything that is loaded here stays: a tenth of the time
    sys.exit(main())
