"""Approvals of a plan: statements in DSSE envelopes, signed with SSH keys by `ssh-keygen -Y`.

Owns what is signed and how it is checked. Does not own how many approvals a plan needs (`rules`). A statement holds the
plan's digest, stack, cluster, expiry and the approver; the keys that may sign stand in a file of the repository.
"""

import json
import subprocess
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from securesystemslib.dsse import Envelope

from altlas.release.canonical import canonical
from altlas.release.plan import Plan, PlanFile
from rendering.errors import CommandError, ExitCode

NAMESPACE = "alt-las-release"
"""Namespace of the signatures: one made for something else does not count."""

_KEY_OFFSET = len(b"SSHSIG") + 4
"""Place of the public key in a signature: after the magic word and the version (OpenSSH, PROTOCOL.sshsig)."""

PAYLOAD_TYPE = "application/vnd.alt-las.release-approval.v1+json"


@dataclass(frozen=True)
class Statement:
    """Statement of an approver, which is signed.

    Attributes:
        plan: Digest of the plan.
        stack: Its stack.
        cluster: Its cluster.
        expires: Its expiry.
        approver: Name of the approver in the file of allowed signers.
        approved: Time of the approval.
    """

    plan: str
    stack: str
    cluster: str
    expires: str
    approver: str
    approved: str


def approve(plan: Plan, key: Path, signers: Path, now: datetime | None = None) -> dict[str, Any]:
    """Sign a plan.

    Args:
        plan: The plan.
        key: Private key, or the public half of one that the SSH agent holds.
        signers: File of allowed signers.
        now: The moment.

    Returns:
        The DSSE envelope, as plain data.

    Raises:
        CommandError: The key is not allowed, has expired, or is an author's; nothing was signed.
    """
    moment = now or datetime.now(UTC)
    _check_expiry(plan, moment)
    _check_file(signers)
    probe = _sign(key, b"probe")
    names = _principals(probe, signers)
    if not names:
        raise _refused(f"the key {key} is not among the allowed signers in {signers.name}, or is no longer valid")
    _check_author(plan, _all_names(probe, signers))
    approved = moment.isoformat(timespec="seconds")
    statement = Statement(plan.digest, plan.stack, plan.cluster, plan.expires, names[0], approved)
    envelope = Envelope(canonical(asdict(statement)), PAYLOAD_TYPE, {})
    name = _fingerprint(_with_file(probe, "check-novalidate", text=b"probe"))
    signature = b64encode(_sign(key, envelope.pae())).decode("ascii")
    document: dict[str, Any] = {**envelope.to_dict(), "signatures": [{"keyid": name, "sig": signature}]}
    verified(plan, document, signers)
    return document


def check_approvals(file: PlanFile, signers: Path) -> tuple[str, ...]:
    """Check that a plan has the signatures that it needs.

    Returns:
        Names of the approvers.

    Raises:
        CommandError: A signature is wrong, or there are too few; names it.
    """
    plan = file.plan
    _check_expiry(plan, datetime.now(UTC))
    if file.approvals:
        _check_file(signers)
    found = [verified(plan, each, signers) for each in file.approvals]
    names = tuple(dict.fromkeys(name for name, _ in found))
    keys = {key for _, key in found}
    count = min(len(names), len(keys))
    if count < plan.approvals:
        have = f"has {count} ({', '.join(names)})" if names else "has none"
        raise _refused(
            f"the plan needs {plan.approvals} approvals by different persons and {have}; sign it with "
            "`altlas approve FILE`"
        )
    return names


def verified(plan: Plan, document: Mapping[str, Any], signers: Path) -> tuple[str, str]:
    """Name and key of the approver of an envelope, after every check.

    Raises:
        CommandError: It is no approval of this plan by someone who may give it.
    """
    try:
        # A copy: the library changes what it reads.
        envelope = Envelope.from_dict(json.loads(json.dumps(document)))
        statement = Statement(**json.loads(envelope.payload))
        ((key, signature),) = envelope.signatures.items()
        signed = bytes.fromhex(signature.signature)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _refused("an approval is no signed statement of one approver") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise _refused(f"an approval has the type {envelope.payload_type}")
    who = statement.approver
    for name, of_plan in (("expires", plan.expires), ("cluster", plan.cluster), ("stack", plan.stack)):
        if getattr(statement, name) != of_plan:
            raise _refused(f"the approval by {who} is for another {'expiry' if name == 'expires' else name}")
    if statement.plan != plan.digest:
        raise _refused(f"the approval by {who} is for another plan: the plan has changed since")
    done = _with_file(signed, "verify", "-f", str(signers), "-I", who, text=envelope.pae())
    if done.returncode:
        raise _refused(f"the signature of {who} does not hold: {_said(done)}")
    _check_author(plan, (who, *_all_names(signed, signers)))
    if _fingerprint(done) != key:
        raise _refused(f"the approval by {who} names another key than it was signed with")
    return who, key


def _check_expiry(plan: Plan, now: datetime) -> None:
    if now >= plan.expiry:
        raise _refused(f"the plan has expired at {plan.expires}; make a new one by `{plan.command}`")


def _check_author(plan: Plan, names: Sequence[str]) -> None:
    authors = {each.lower() for each in plan.authors}
    for name in names:
        if name.lower() in authors:
            raise _refused(f"{name} is an author of the plan and cannot approve it; another person must")


def _check_file(signers: Path) -> None:
    if not signers.is_file():
        raise CommandError(
            f"the file of allowed signers {signers} is missing; write a line for each approver, such as "
            f'`ada@example.org namespaces="{NAMESPACE}" ssh-ed25519 AAAA...`, and plan again. Nothing was changed',
            ExitCode.BAD_INPUT,
        )


def _refused(message: str) -> CommandError:
    return CommandError(f"{message}. Nothing was changed", ExitCode.REFUSED)


def _sign(key: Path, text: bytes) -> bytes:
    # The signature goes to standard output; a passphrase is asked for on the terminal.
    done = _ssh_keygen("sign", "-f", str(key), text=text)
    if done.returncode:
        raise _refused(f"the key {key} cannot sign: {_said(done)}")
    return done.stdout


def _principals(signature: bytes, signers: Path) -> tuple[str, ...]:
    """Names of the key of a signature in the file of allowed signers."""
    done = _with_file(signature, "find-principals", "-f", str(signers), text=b"")
    return tuple(done.stdout.decode().replace(",", "\n").split()) if done.returncode == 0 else ()


def _all_names(signature: bytes, signers: Path) -> tuple[str, ...]:
    """Every name that the file gives to the key of a signature: `find-principals` stops at the first line."""
    blob = b64decode(b"".join(signature.splitlines()[1:-1]))
    length = int.from_bytes(blob[_KEY_OFFSET : _KEY_OFFSET + 4], "big")
    key = b64encode(blob[_KEY_OFFSET + 4 : _KEY_OFFSET + 4 + length]).decode("ascii")
    lines = (line.split() for line in signers.read_bytes().splitlines())
    found = (words[0].decode(errors="replace") for words in lines if key.encode("ascii") in words)
    return tuple(name for names in found for name in names.split(","))


def _fingerprint(good: subprocess.CompletedProcess[bytes]) -> str:
    """Fingerprint of the key that a good signature was made with, as ssh-keygen prints it."""
    words = good.stdout.decode(errors="replace").split()
    return next((word for word in words if word.startswith("SHA256:")), "")


def _with_file(signature: bytes, action: str, *arguments: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        return _ssh_keygen(action, *arguments, "-s", file.name, text=text)


def _ssh_keygen(action: str, *arguments: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = ["ssh-keygen", "-Y", action, *(() if action == "find-principals" else ("-n", NAMESPACE)), *arguments]
    try:
        return subprocess.run(command, input=text, capture_output=True, check=False)
    except FileNotFoundError:
        raise CommandError("ssh-keygen is not on PATH; install OpenSSH", ExitCode.NO_TOOLS) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join((done.stderr or done.stdout).decode(errors="replace").split())
