"""The commands `altlas github ...`: what the workflows of this repository do on GitHub, as commands."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.lazy import command_group
from altlas.commands.options import writable
from altlas.release.github import GitHub
from altlas.release.github_identity import credential as job_credential
from altlas.release.github_identity import kubeconfig as job_kubeconfig
from altlas.release.pull_request import close, comment_text, publish
from altlas.release.read_document import read_document
from altlas.session.durable_file import write_durably
from rendering.errors import CommandError, ExitCode

app = command_group(help="Steps of the workflows on GitHub, which read GITHUB_TOKEN and GITHUB_REPOSITORY.")

_AudienceOption = Annotated[str, typer.Option(metavar="NAME", help="Audience that the cluster asks for.")]


@app.command()
def comment(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="What `altlas diff --json` printed.")
    ] = None,
    *,
    pull: Annotated[int, typer.Option(min=1, metavar="N", help="Number of the pull request.")],
    commit: Annotated[str, typer.Option(metavar="SHA", help="Commit that was compared.")] = "",
    link: Annotated[str, typer.Option(metavar="URL", help="Address of the run with the whole text.")] = "",
    closed: Annotated[bool, typer.Option("--closed", help="Mark the comment of a closed pull request.")] = False,
) -> None:
    """Make or update the comment of a pull request about what it changes. The files are only read."""
    github = GitHub.of(os.environ)
    if closed:
        done = close(github, pull)
    else:
        changes = [read_document(_content(each), str(each)) for each in files or ()]
        done = publish(github, pull, comment_text(changes, commit, link))
    typer.echo(f"Comment of pull request {pull}: {done}.")


@app.command()
def environment(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the environment.")]) -> None:
    """Refuse an environment that does not exist or that nobody must approve."""
    reviewers = GitHub.of(os.environ).check_environment(name)
    typer.echo(f"The environment {name} needs an approval by one of {reviewers} reviewers.")


@app.command()
def kubeconfig(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.", callback=writable)],
    server: Annotated[str, typer.Option(metavar="URL", envvar="ALT_LAS_SERVER", help="Address of the API server.")],
    authority: Annotated[
        str, typer.Option(metavar="PEM", envvar="ALT_LAS_AUTHORITY", help="Certificates of its authority, as text.")
    ],
    audience: _AudienceOption = "kubernetes",
) -> None:
    """Write a kubeconfig without a secret, for a cluster that trusts GitHub's identities of jobs."""
    document = job_kubeconfig(server, authority.encode(), str(Path(sys.argv[0]).resolve()), audience)
    write_durably(file, json.dumps(document, indent=2).encode())


@app.command()
def credential(audience: _AudienceOption = "kubernetes") -> None:
    """Print a token of this job for kubectl, as such a kubeconfig asks for it."""
    typer.echo(json.dumps(job_credential(os.environ, audience)))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", ExitCode.BAD_INPUT) from None
