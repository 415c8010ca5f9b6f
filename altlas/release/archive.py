"""Archive of releases: the program and the stack file of each deployment that ended well, to go back to.

Owns the files and their check against the ledger. Does not own the ledger nor what goes back (`rollback`). Secrets are
in an archive as they are in the stack file: encrypted.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from altlas.release.ledger import Ledger, LedgerEntry
from altlas.release.seal import PROGRAM, promotion_lock
from altlas.session.journal.bucket import StatePath
from altlas.session.journal.state_files import write_whole
from rendering.errors import CommandError, ExitCode

KEPT = 30
"""Archives of a stack that are kept: 150 KiB each, so that a year of weekly releases takes a few MiB."""


def packed(root: Path, stack_file: Path) -> bytes:
    """Archive of the program and the stack file as they are now.

    Args:
        root: Folder of the program.
        stack_file: Stack file.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=6) as archive:
        for file in _files(root, stack_file):
            archive.add(file, str(file.relative_to(root)), filter=_anonymous)
    return content.getvalue()


def keep_release(ledger: Ledger, number: int, content: bytes) -> str:
    """Write an archive, and remove those beyond the newest KEPT.

    Args:
        ledger: Ledger of the stack; the archives lie beside it.
        number: Entry of the deployment's begin.
        content: What `packed` returned at the begin: files may have changed since.

    Returns:
        SHA-256 of the archive, for the ledger.

    Raises:
        OSError: It cannot be written.
    """
    folder = ledger.archives
    if isinstance(folder, Path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / f"{number}.tar.gz", content)
    with suppress(OSError):
        for old in sorted(_archives(ledger), key=_number)[:-KEPT]:
            old.unlink()
    return hashlib.sha256(content).hexdigest()


def releases(ledger: Ledger, entries: Sequence[LedgerEntry]) -> dict[int, LedgerEntry]:
    """Entries of deployments that ended well and whose archive is there, by the number of their begin."""
    known = {_number(path) for path in _archives(ledger)}
    return {each.body["began"]: each for each in entries if each.body.get("archive") and each.body["began"] in known}


def open_release(ledger: Ledger, end: LedgerEntry, into: Path) -> None:
    """Unpack a release into an empty folder.

    Args:
        ledger: Ledger of the stack.
        end: Entry of the end of the deployment.
        into: Empty folder.

    Raises:
        CommandError: The archive is not the one that the ledger knows.
    """
    number = end.body["began"]
    content = (ledger.archives / f"{number}.tar.gz").read_bytes()
    if hashlib.sha256(content).hexdigest() != end.body["archive"]:
        raise CommandError(
            f"the archive of release {number} has changed since; choose another one by --to. Nothing was changed",
            ExitCode.REFUSED,
        )
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(into, filter="data")


def _archives(ledger: Ledger) -> Iterable[StatePath]:
    return (path for path in ledger.archives.glob("*.tar.gz") if path.name.removesuffix(".tar.gz").isdecimal())


def _number(path: StatePath) -> int:
    return int(path.name.partition(".")[0])


def _files(root: Path, stack_file: Path) -> Iterator[Path]:
    for name in (*PROGRAM, stack_file.name, promotion_lock(stack_file)):
        path = root / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def link_environments(root: Path, folder: Path) -> None:
    """Let a program in another folder run with the virtual environments of this checkout."""
    for name in (".venv", ".venv-program"):
        if (root / name).exists():
            (folder / name).symlink_to((root / name).resolve())
