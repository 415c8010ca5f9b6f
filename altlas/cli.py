"""The command `altlas`: what happens around `pulumi up`. Pulumi works without it; this only adds."""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

import cluster
import tools
from altlas.commands.addons import addons_app
from altlas.commands.backup import backups, drill, fetch, restore
from altlas.commands.destroy import destroy
from altlas.commands.images import compose, images_app
from altlas.commands.options import AddonsOption, StackOption, TargetOption, YesOption
from altlas.commands.rotate import rotate
from altlas.session.workspace import Workspace
from altlas.status.table import workloads_text
from components.stack.loading import read_platform
from components.stack.problems import SettingsError
from rendering.errors import CommandError, ExitCode
from rendering.root import ROOT

app = typer.Typer(
    name="altlas", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
secrets_app = typer.Typer(no_args_is_help=True, help="The secrets that a stack needs and no person must know.")
app.add_typer(secrets_app, name="secrets")
app.add_typer(addons_app, name="addons")
app.add_typer(images_app, name="images")
app.command()(compose)

StackArgument = Annotated[str, typer.Argument(help="Name of a stack, such as alpha.")]


def report(message: str) -> None:
    """Tell the person at the terminal what happens. Goes to standard error: results are on standard output."""
    typer.echo(message, err=True)


def workspace() -> Workspace:
    """The checkout that holds this command, or the one named by ALT_LAS_ROOT."""
    return Workspace(Path(os.environ.get("ALT_LAS_ROOT", ROOT)).resolve())


@app.command()
def up(
    stack: StackOption = "alpha",
    target: TargetOption = None,
    yes: YesOption = False,
    addons: AddonsOption = True,
) -> None:
    """Bring a stack up: start the cluster if it is ours, update the stack, wait until all services are ready."""
    from altlas.status.custom_resources import operated_statuses  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    here = workspace()
    with here.only_one(f"up --stack {stack}"):
        session, platform, statuses = flow.up(
            here, stack, target, ("--yes",) if yes else (), report, with_addons=addons
        )
    statuses += operated_statuses(session.kubectl, platform, session.target)
    typer.echo(workloads_text(stack, platform, statuses, session.kubectl.kubeconfig))


@app.command()
def down(
    target: TargetOption = None, delete: Annotated[bool, typer.Option(help="Also remove its data.")] = False
) -> None:
    """Stop the cluster that `up` started. Its data stays, so that the next `up` finds everything as it was."""
    from altlas.update import up as flow  # noqa: PLC0415

    here = workspace()
    with here.only_one("down"):
        chosen = flow.choose_target(here, target)
        report(str(chosen))
        opened, _ = flow.open_cluster(here, chosen, report)
        opened.delete() if delete else opened.down()


@app.command(name="env")
def environment(target: TargetOption = None) -> None:
    """Print the environment in which plain `pulumi` and `kubectl` work: eval "$(altlas env)"."""
    from altlas.session.environment import as_shell  # noqa: PLC0415
    from altlas.session.environment import environment as variables  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    here = workspace()
    chosen = flow.choose_target(here, target)
    _, toolbox = flow.open_cluster(here, chosen, report)
    kubeconfig = chosen.kubeconfig or here.kubeconfig(chosen.name)
    typer.echo(as_shell(variables(here, toolbox, chosen, kubeconfig, os.environ)), nl=False)


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[STACK]", help="The same as --stack.")] = None,
    stack: StackOption = "alpha",
    target: TargetOption = None,
) -> None:
    """Show what of a stack runs, which targets are down, which alerts fire, and how old the backups are.

    Ends with 1 if something is not ready, and says why.
    """
    from altlas.status.custom_resources import operated_statuses  # noqa: PLC0415
    from altlas.status.monitoring import monitoring_text  # noqa: PLC0415
    from altlas.status.rollout import Kubectl, pod_problems, workload_statuses  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    here, stack = workspace(), name or stack
    platform = read_platform(here.stack_file(stack))
    chosen = flow.choose_target(here, target)
    _, toolbox = flow.open_cluster(here, chosen, report)
    kubeconfig = chosen.kubeconfig or here.kubeconfig(chosen.name)
    kubectl = Kubectl(toolbox.path("kubectl"), kubeconfig)
    statuses = workload_statuses(kubectl, platform.namespace) + operated_statuses(kubectl, platform, chosen)
    typer.echo(workloads_text(stack, platform, statuses, kubeconfig))
    typer.echo(monitoring_text(platform, chosen, kubectl))
    missing = platform.services.by_name().keys() - {each.name for each in statuses}
    missing |= {each.name for each in statuses if each.operated and not each.is_ready}
    if missing:
        problems = "".join(f"\n  {problem}" for problem in pod_problems(kubectl, platform.namespace))
        raise CommandError(f"not ready: {', '.join(sorted(missing))}{problems}")


@app.command()
def diff(
    before: StackArgument,
    after: StackArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects instead of text.")] = False,
) -> None:
    """Print which settings two stacks decide differently: field, from, to and class."""
    from altlas.phases.diff import as_text, compare  # noqa: PLC0415

    here = workspace()
    differences = compare(read_platform(here.stack_file(before)), read_platform(here.stack_file(after)))
    if as_json:
        typer.echo(json.dumps([difference.as_document() for difference in differences], indent=2))
    else:
        typer.echo(as_text(differences, before, after), nl=False)


@app.command()
def transition(
    stack: StackArgument,
    source: StackArgument,
    write: Annotated[bool, typer.Option(help="Write the stack file instead of printing it.")] = False,
) -> None:
    """Take the settings of another stack into a stack's file: all but identity, which stays with its stack."""
    from altlas.phases.transition import take_settings  # noqa: PLC0415

    here = workspace()
    into, other = here.stack_file(stack), here.stack_file(source)
    with here.only_one(f"transition {stack} {source}") if write else nullcontext():
        platform = read_platform(into)
        read_platform(other)
        text = take_settings(into.read_text(encoding="utf-8"), other.read_text(encoding="utf-8"), platform)
        if write:
            into.write_text(text, encoding="utf-8")
    if write:
        report(f"{into.name} now has the settings of {other.name}; deploy them with `pulumi up --stack {stack}`.")
    else:
        typer.echo(text, nl=False)


@app.command()
def render(
    stack: StackArgument,
    out: Annotated[Path, typer.Option(help="Folder to fill; an earlier rendering in it is replaced.")],
) -> None:
    """Write a stack's Kubernetes objects as YAML, one file an object. Needs neither a cluster nor the engine."""
    from rendering.files import RenderError  # noqa: PLC0415
    from rendering.files import render as write_objects  # noqa: PLC0415
    from rendering.recorder import record  # noqa: PLC0415

    platform = read_platform(workspace().stack_file(stack))
    try:
        written = write_objects(record(stack, platform).objects, out)
    except RenderError as error:
        raise CommandError(str(error), ExitCode.BAD_INPUT) from None
    report(f"{len(written)} objects of {stack} are in {out}. Secret values are placeholders.")


@app.command()
def diagram(
    stack: StackOption = "beta",
    out: Annotated[Path, typer.Option(help="Folder for architecture.md and architecture.svg.")] = ROOT / "docs",
) -> None:
    """Draw who reaches whom in a stack, from the objects that its program renders."""
    from altlas.pictures.pages import write_pages  # noqa: PLC0415

    for path in write_pages(workspace(), stack, out):
        report(f"Wrote {path}.")


@app.command(name="deployer-role")
def deployer_role(
    stack: StackArgument,
    user: Annotated[str, typer.Option(help="Name of the user, as the API server knows it.")] = "alt-las-deployer",
) -> None:
    """Print the rights that an update of a stack needs and no more, for an administrator to apply."""
    from altlas.update.deployer_role import deployer_manifests  # noqa: PLC0415
    from altlas.update.preflight import needed_definitions  # noqa: PLC0415
    from rendering.files import as_yaml  # noqa: PLC0415
    from rendering.recorder import record  # noqa: PLC0415

    platform = read_platform(workspace().stack_file(stack))
    objects = record(stack, platform).objects
    definitions = {name for names, _ in needed_definitions(platform).values() for name in names}
    manifests = deployer_manifests(stack, platform.namespace, objects, definitions, user)
    typer.echo("---\n".join(as_yaml(manifest) for manifest in manifests), nl=False)


app.command()(destroy)
app.command()(restore)
app.command()(backups)
app.command()(fetch)
app.command()(drill)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the stack files."""
    from components.stack.schema import stack_file_schema  # noqa: PLC0415

    typer.echo(json.dumps(stack_file_schema(), indent=2))


@secrets_app.command(name="init")
def secrets_init(stack: StackOption = "alpha", target: TargetOption = None) -> None:
    """Generate the secrets that a stack needs and does not have yet, encrypted in its stack file."""
    from altlas.session import stack_secrets  # noqa: PLC0415
    from altlas.update import up as flow  # noqa: PLC0415

    here = workspace()
    stack_file = here.stack_file(stack)
    read_platform(stack_file)
    stack_secrets.check_passphrase(here, stack_file, os.environ)
    with here.only_one(f"secrets init --stack {stack}"):
        session = flow.engine_session(here, flow.choose_target(here, target), report)
        flow.prepare_stack(session, stack, report, may_replace_secrets=True)


@secrets_app.command(name="reset")
def secrets_reset(stack: StackOption = "alpha") -> None:
    """Remove the encrypted values from a stack file whose passphrase is lost; `secrets init` makes new ones."""
    from altlas.session.stack_secrets import reset_secrets  # noqa: PLC0415

    here = workspace()
    with here.only_one(f"secrets reset --stack {stack}"):
        removed = reset_secrets(here.stack_file(stack))
    report(f"Removed from {here.stack_file(stack).name}: {', '.join(removed) or 'nothing'}.")


secrets_app.command(name="rotate")(rotate)


def main() -> None:
    """Run a command and turn every failure that a person can mend into one message and an exit code."""
    try:
        app(standalone_mode=True)
    except SettingsError as error:
        code, message = ExitCode.BAD_INPUT, str(error)
    except CommandError as error:
        code, message = error.code, str(error)
    except tools.ToolsError as error:
        code, message = ExitCode.NO_TOOLS, str(error)
    except cluster.ClusterError as error:
        code, message = ExitCode.NO_CLUSTER, str(error)
    else:
        return
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)
