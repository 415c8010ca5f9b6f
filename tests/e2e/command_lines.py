"""Command lines of every command of `altlas`, each with the exit code that it ends with.

Owns the words. Names in braces are filled in: `{folder}` is a folder for files, and any other name is a canary, as a
person might type or write one by mistake. Does not own what is done with them (`test_secrets_in_outputs`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from typer.core import TyperGroup

from altlas.cli import COMMANDS


@dataclass(frozen=True)
class Line:
    """One command line.

    Attributes:
        words: Words after `altlas`.
        code: Exit code.
        variables: Variables in addition to those of every command.
        only_whole: Whether a sample leaves it out, because it takes long.
    """

    words: str
    code: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    only_whole: bool = False

    @property
    def key(self) -> str:
        """The words, with the variables."""
        return " ".join([*(f"{name}={value}" for name, value in self.variables.items()), self.words])


BACKUP = "20260101T010000Z"
_KUBECONFIG = {"TARGET": "kubeconfig", "KUBECONFIG": "{folder}/kubeconfig"}
_BROKEN = {"TARGET": "kubeconfig", "KUBECONFIG": "{folder}/broken-kubeconfig"}
_BUCKET = {"PULUMI_BACKEND_URL": "s3://canary:{backend-password}@?endpoint=http://127.0.0.1:9&key={backend-key}"}

RELEASE = (
    Line("addons install --with gateway-api --with barman-cloud --yes"),
    Line("secrets init alpha"),
    Line("plan alpha -o {folder}/plan.json --hours 2"),
    Line("plan beta -o {folder}/beta.json"),
    Line("show {folder}/plan.json"),
    Line("show {folder}/plan.json --json"),
    Line("apply {folder}/plan.json", 7),
    Line("approve {folder}/plan.json --key {folder}/ada"),
    Line("approve {folder}/plan.json --key {folder}/bob"),
    Line("approve {folder}/plan.json --key {folder}/ada", 7),
    Line("report {folder}/plan.html --plan {folder}/plan.json"),
    Line("apply {folder}/plan.json --override because --incident none"),
    Line("apply {folder}/plan.json", 7),
    Line("rollback alpha -o {folder}/back.json --to 1 --accept KIND"),
    Line("rollback alpha --automatic", 7),
)
"""Release by which the canaries reach the cluster, before others write there."""

EVERYDAY = (
    Line("up alpha --no-addons --no-preflight --yes --incident none --override because --leave-messages"),
    Line("preflight alpha", 4),
    Line("preflight alpha --json", 4),
    Line("preflight alpha --probe", 4),
    Line("preflight alpha", 4, _KUBECONFIG),
    Line("status alpha"),
    Line("status alpha --json"),
    Line("status alpha", 4, _KUBECONFIG),
    Line("env"),
)
PHASES = (
    Line("diff alpha beta"),
    Line("diff alpha beta --format markdown --no-fields --exit-code", 1),
    Line("diff alpha beta --json"),
    *(Line(f"diff alpha {{folder}}/Pulumi.{name}.yaml", 2) for name in ("plain", "broken", "twice", "unknown")),
    Line("drift alpha", 1),
    Line("drift alpha --json", 1),
    Line("drift alpha --revert"),
    Line("drift alpha", 4, _BROKEN),
    Line("capacity alpha beta --nodes 9x8x64"),
    Line("capacity alpha --json --nodes 9x8x64"),
    Line("capacity beta --page"),
    Line("capacity alpha --target sim"),
    Line("capacity alpha --from {folder}/cut.json --target-rps 9 --pods api-gateway=1 --utilization 50", 2),
    Line("loadtest alpha --profile alpha --percent 1 --warm-up 1 --seconds 5 --url http://127.0.0.1:9/ --json", 4),
    Line("loadtest alpha --stand-ins --in-cluster --out {folder}/load --url http://127.0.0.1:9/", 2),
    Line("loadtest alpha --url http://canary:{password-of-a-URL}@127.0.0.1:9/", 2),
    Line("loadtest alpha --url ftp://canary:{password-of-another-URL}@127.0.0.1:9/", 2),
    Line("report {folder}/stack.html alpha --nodes 9x8x64"),
    Line("report {folder}/change.html alpha beta"),
    Line("report {folder}/bad.html --plan {folder}/damaged.json", 2),
    Line("stack diff alpha beta"),
    Line("stack diff alpha beta --json"),
    Line("stack transition beta alpha"),
    Line("stack schema"),
    Line("stack render alpha --out {folder}/rendered"),
    Line("stack compose beta --out {folder}/compose"),
    Line("stack diagram beta --out {folder}/diagram"),
    Line("stack deployer-role beta --user someone"),
    Line("rehearse alpha gamma --live --json", 2),
    Line("rehearse alpha alpha --live", only_whole=True),
    Line("plan alpha -o {folder}/none.json", 1, _BUCKET),
    Line("show {folder}/damaged.json", 2),
    Line("show {folder}/cut.json", 2),
    Line("approve {folder}/cut.json --key {folder}/ada", 2),
    Line("promote alpha beta --write", 2),
    Line("promote alpha beta --clear-hold alpha/1 --reason because", 2),
    Line("canary list alpha"),
    Line("canary list beta --json"),
    Line("canary approve beta api-gateway 5f6d --reason because", 2),
    Line("canary abort beta api-gateway --reason because", 2),
    Line("canary skip beta api-gateway --reason because", 2),
    Line("freeze alpha --reason because"),
    Line("unfreeze alpha --reason because"),
    Line("ledger show alpha"),
    Line("ledger show alpha --kind apply --json"),
    Line("ledger verify alpha"),
    Line("ledger verify alpha --head 0", 1),
    *(Line(f"ledger export {{entry}} alpha --format {form}") for form in ("svr", "github", "grafana")),
    *(Line(f"ledger metrics alpha --days 9 --format {form}") for form in ("text", "json", "prometheus")),
    Line(
        "github comment {folder}/diff.json --pull 7 --commit {commit} --link https://github.com/atlas/platform/actions/runs/7"
    ),
    Line("github comment --pull 7 --closed"),
    Line("github comment {folder}/cut.json --pull 7", 2),
    Line("github environment production"),
    Line("github environment none", 7),
    Line("github kubeconfig {folder}/job --server https://example.org --authority PEM --audience canary"),
    Line("github credential --audience canary"),
)
OTHERS = (
    Line("backup list redis alpha"),
    Line("backup list postgres alpha --json"),
    Line(f"backup fetch redis alpha --backup {BACKUP} --generation 1", 2),
    Line("backup preflight redis alpha", 2),
    Line(f"backup restore redis alpha --backup {BACKUP} --into look"),
    Line("backup restore redis alpha --at 2026-01-01T00:00:00Z --replace --confirm beta --generation 1 --only x", 2),
    Line("backup drill nats alpha"),
    Line("state recover alpha"),
    Line("state recover alpha --from {folder}/cut.json", 2),
    Line("secrets rotate alpha natsRunnerPassword --yes --no-addons --override because", only_whole=True),
    Line("secrets rotate alpha openaiApiKey", 2),
    Line("check rules alpha"),
    Line("check prove alpha", only_whole=True),
    Line("check matrix alpha"),
    Line("check scan gamma", 2),
    Line("images runtimes alpha"),
    Line(
        "images lock api-gateway --repository canary:{password-of-a-repository}@example.org/x --tag 1 --digest 0 "
        "--revision 0 --built-at 0 --sbom x --report x",
        2,
    ),
    Line("images verify --stack alpha --offline", 1),
    Line("images pin alpha", 1),
    Line("images retire example.org/x:1 --archive example.org/old --replaced-by example.org/x:2"),
    Line(
        "images pipeline alpha --source {folder} --registry example.org/x --revision 0 --epoch 0 --base x=y "
        "--out {folder}/out --key {folder}/ada --run",
        2,
    ),
    Line("addons"),
    Line("addons --json"),
    Line("addons install --external istio --adopt flagger --with gateway-api --yes"),
    Line("addons remove --yes", 1),
)
MISTAKES = (
    Line("up plain", 2),
    Line("plan plain -o {folder}/none.json", 2),
    Line("stack diff alpha unknown", 2),
    Line("check prove unknown", 2),
)
"""Commands on stack files that are wrong."""

END = (
    Line("stack transition beta alpha --write"),
    Line("secrets reset beta"),
    Line("destroy alpha", 2),
    Line("destroy alpha --with-data alpha --yes --override because", only_whole=True),
    Line("down"),
    Line("down --delete"),
)

ONLY_REFUSED = {
    "preflight": "no ingress controller is on a simulated cluster",
    "loadtest": "no service answers outside the simulated cluster",
    "promote": "a release has to run for an hour first, with signed images",
    "canary approve": "no Flagger judges on a simulated cluster",
    "canary abort": "no Flagger judges on a simulated cluster",
    "canary skip": "no Flagger judges on a simulated cluster",
    "backup fetch": "no bucket is there",
    "backup preflight": "no bucket is there",
    "check scan": "the scanners have a part of their own",
    "images lock": "no registry is there",
    "images verify": "no registry is there",
    "images pin": "no registry is there",
    "images pipeline": "no builder of images is there",
    "addons remove": "custom resources of the stack exist",
    "check prove": "takes half a minute; with all faults it runs whole",
    "rehearse": "takes minutes; with all faults it runs whole",
    "destroy": "takes a minute; with all faults it runs whole",
    "secrets rotate": "takes a minute; with all faults it runs whole",
}
"""Commands that only end with a refusal here, and why; of the last ones the sample has no more."""

EVERYWHERE = {"--stack", "--target", "--yes"}
"""Options of many commands, which change nothing in what is printed."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words, as the parser has them."""
    for name, entry in COMMANDS.items():
        yield from _members(name, entry.load(name))


def _members(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    for word, member in command.commands.items():
        entry = getattr(command, "entries", {}).get(word)
        yield from _members(f"{name} {word}", entry.load(word) if entry else member)
