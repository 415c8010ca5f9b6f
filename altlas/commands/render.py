"""The commands of `altlas stack` that render a stack: as objects, pages, RBAC, a Compose file or a schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

from altlas.commands.options import Stack, StackArgument, StackOption, one_stack
from altlas.compose.compose import compose as compose_files
from altlas.pictures.pages import write_pages
from altlas.session.console import report, workspace
from altlas.update.deployer_role import deployer_manifests
from altlas.update.preflight import needed_crds
from components.stack.loading import read_platform
from components.stack.schema import stack_file_schema
from rendering.errors import CommandError, ExitCode
from rendering.files import RenderError, as_yaml
from rendering.files import render as write_objects
from rendering.folders import make_folder
from rendering.recorder import record
from rendering.root import ROOT


def render(
    stack: Stack,
    out: Annotated[Path, typer.Option(help="Folder to fill; an earlier rendering in it is replaced.")],
) -> None:
    """Write a stack's Kubernetes objects as YAML, one file per object. Needs no cluster and no Pulumi engine."""
    platform = read_platform(workspace().stack_file(stack))
    try:
        written = write_objects(record(stack, platform).objects, out)
    except RenderError as error:
        raise CommandError(str(error), ExitCode.BAD_INPUT) from None
    report(f"{len(written)} objects of {stack} are in {out}. Secret values are placeholders.")


def diagram(
    stack: StackArgument = None,
    stack_option: StackOption = None,
    out: Annotated[Path, typer.Option(help="Folder for architecture.md and dashboard.md.")] = ROOT / "docs",
) -> None:
    """Write the pages with pictures of a stack: its allowed connections and its first dashboard, as Mermaid."""
    for path in write_pages(workspace(), one_stack(stack, stack_option, "beta"), out):
        report(f"Wrote {path}.")


def deployer_role(
    stack: Stack,
    user: Annotated[str, typer.Option(help="Name of the user, as the API server knows it.")] = "alt-las-deployer",
) -> None:
    """Print the least RBAC that an update of a stack needs, for an administrator to apply."""
    platform = read_platform(workspace().stack_file(stack))
    objects = record(stack, platform).objects
    crds = {name for names, _ in needed_crds(platform).values() for name in names}
    manifests = deployer_manifests(stack, platform.namespace, objects, crds, user)
    typer.echo("---\n".join(as_yaml(manifest) for manifest in manifests), nl=False)


def schema() -> None:
    """Print the JSON Schema of the stack files."""
    typer.echo(json.dumps(stack_file_schema(), indent=2))


def compose(
    stack: Stack,
    out: Annotated[Path, typer.Option(help="Folder for compose.yaml and .env.example.")],
) -> None:
    """Write compose.yaml and .env.example from the settings of a stack. Needs neither Docker nor a cluster."""
    platform = read_platform(workspace().stack_file(stack))
    text, example = compose_files(stack, platform, record(stack, platform).objects)
    make_folder(out)
    (out / "compose.yaml").write_text(text, encoding="utf-8")
    (out / ".env.example").write_text(example, encoding="utf-8")
    report(f"compose.yaml and .env.example are in {out}; not proven here: no Docker engine has run them.")
