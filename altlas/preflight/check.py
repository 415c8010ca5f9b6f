"""One thing that was looked at on a cluster, with what was found and what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rendering.errors import CommandError, ExitCode

State = Literal["ok", "warning", "unknown", "failed"]
_REFUSED = ("(Forbidden)", "(Unauthorized)")
_NO_SUCH_KIND = "the server doesn't have a resource type"


@dataclass(frozen=True, kw_only=True)
class Check:
    """Result of one check.

    Attributes:
        name: What was looked at.
        state: `failed` stops an update, `warning` does not; `unknown` where nothing can be told.
        found: What the cluster has.
        cure: What to do; empty where all is well.
        code: Exit code of a command that this stops: the settings are to be corrected, or the cluster is.
    """

    name: str
    state: State
    found: str
    cure: str = ""
    code: ExitCode = ExitCode.NO_CLUSTER

    def __str__(self) -> str:
        return f"{self.state}: {self.name}: {self.found}" + (f"; {self.cure}" if self.cure else "")


def answered(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The results of a look at the cluster; `unknown` where the user may not look.

    Args:
        name: What is looked at.
        look: Reads the cluster.

    Raises:
        CommandError: The cluster does not answer.
    """
    try:
        yield from list(look())
    except CommandError as error:
        if is_refusal(error):
            yield Check(name=name, state="unknown", found="not looked at, because this user may not read it")
        elif _NO_SUCH_KIND in str(error):
            yield Check(name=name, state="failed", found="the cluster lacks its kind", cure="install its CRDs")
        else:
            raise


def is_refusal(error: CommandError) -> bool:
    """True if the API server has refused a read for the lack of a right."""
    return any(refusal in str(error) for refusal in _REFUSED)


def require(checks: Iterable[Check]) -> None:
    """Stop a command where a check failed.

    Raises:
        CommandError: Names all that failed, each with its cure; nothing was changed.
    """
    failed = [check for check in checks if check.state == "failed"]
    if failed:
        lines = "\n".join(f"  {check.name}: {check.found}; {check.cure}" for check in failed)
        code = failed[0].code if len({check.code for check in failed}) == 1 else ExitCode.NO_CLUSTER
        raise CommandError(f"the cluster cannot take the stack, nothing was changed:\n{lines}", code)
