"""Signatures of images in their registry, as cosign checks them with a public key."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import tools


def signatures(key: Path) -> Callable[[str], str]:
    """Check of the signature of an image, by its reference: what is wrong, or nothing.

    The transparency log is not asked: who trusts a key needs no third party, and private images are in none.

    Args:
        key: Public key of cosign.
    """

    def problem(reference: str) -> str:
        if not key.is_file():
            return f"the public key {key.name} is missing (release.promotion.signingKey)"
        program = str(tools.ensure(("cosign",)).path("cosign"))
        command = [program, "verify", "--insecure-ignore-tlog=true", "--key", str(key), reference]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return "" if done.returncode == 0 else (said[-1] if said else "cosign does not accept it")

    return problem
