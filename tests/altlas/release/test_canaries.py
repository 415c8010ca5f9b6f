"""Fifty canaries in the secrets of a stack: in nothing that a release writes, in no form; a planted one is found."""

import gzip
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from altlas.release.document import as_document
from altlas.release.filtering import Filter
from altlas.release.markdown import as_markdown
from altlas.release.plan import read_plan
from altlas.release.plan_text import plan_text
from altlas.release.pull_request import comment_text
from altlas.release.read_document import read_document
from altlas.release.report import report_of_stack
from altlas.release.report_page import as_html
from altlas.release.stack_change import change_of
from altlas.release.text import as_text
from components.settings.alertmanager import MAIL_SECRET
from components.settings.secrets import SECRETS
from rendering.errors import CommandError
from rendering.recorder import WRAPPED, Registration, record
from tests.altlas.release_stand_ins import Release, StandInEngine
from tests.altlas.test_seal import ADA, keys, release
from tests.support.canaries import CANARIES, ENCODINGS, NUMBER, found
from tests.support.documents import REMOVED, alpha_with

__all__ = ["keys", "release"]

_MARK = {WRAPPED: "1b47061264138c4ac30d75fd1eb44270"}


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_planted_canary_is_found_in_each_encoding(name: str) -> None:
    """Control: fifty of fifty, also compressed, and compressed in base64; none where there is none."""
    encode = ENCODINGS[name]
    for canary in CANARIES:
        text = f"a {encode(canary)} b".encode()
        packed = gzip.compress(text)
        for written in (text, b"archive" + packed, b64encode(packed)):
            assert (canary, name) in found(CANARIES, written)
    assert found(CANARIES, "canary", b"\x1f\x8b\x08 no archive", gzip.compress(b"x" * 100)) == []


def test_base64_is_found_wherever_the_text_stands() -> None:
    """Control: as a part of a longer text that is encoded as a whole, as in the data of a Secret."""
    for shift in range(6):
        written = b64encode(b"x" * shift + CANARIES[7].encode() + b"more")
        assert {canary for canary, _ in found(CANARIES, written)} == {CANARIES[7]}


class Leaking(StandInEngine):
    """An engine whose secrets are the canaries, and which prints them in every form."""

    def capture(self, *arguments: str, text: str | None = None) -> str:
        """Half of them stand in the configuration, half in the state."""
        assert text is None
        half = NUMBER // 2
        if arguments[0] == "config":
            values = {
                f"alt-las:key{number}": {"value": each, "secret": True} for number, each in enumerate(CANARIES[:half])
            }
            return json.dumps(values)
        marked = [_MARK | {"plaintext": json.dumps({"data": {"a": each}})} for each in CANARIES[half:]]
        return json.dumps({"deployment": {"resources": marked}})


def printed() -> tuple[str, ...]:
    """Lines of an engine: canaries in each encoding, and a refused plan with its values."""
    lines = [f"  data: {encode(each)}\n" for each in CANARIES for encode in ENCODINGS.values()]
    lines += [f"violates plan: properties changed: ++password[{{&{{{each}}}}}!={{&{{b}}}}]\n" for each in CANARIES]
    return ("Updating (alpha)\n", *lines, *(f"{b64encode(each.encode()).decode()}\n" for each in CANARIES))


def test_nothing_that_an_applied_or_refused_plan_writes_holds_a_canary(
    release: Release, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, show, apply, refused apply, failed apply, report, ledger and everything beside it."""
    monkeypatch.setattr(StandInEngine, "capture", Leaking.capture)
    release.world.printed = printed()
    said: list[str | bytes] = [plan_text(read_plan(release.path)), release.path.read_bytes()]
    release.apply()
    with pytest.raises(CommandError) as refusal:
        release.apply()
    release.world.planned, release.world.code = 5, 255
    release.plan(ADA)
    said.append(release.path.read_bytes())
    with pytest.raises(CommandError) as failure:
        release.apply()
    page = as_html(
        report_of_stack(release.session.workspace, "alpha", (), release.ledger, file=read_plan(release.path))
    )
    out = capfd.readouterr()
    said += [str(refusal.value), str(failure.value), page, out.out, out.err]
    folder = Path(str(release.ledger.path)).parents[1]
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    assert {release.ledger.path, release.ledger.head_path} < set(files), "the archive of the release is there too"
    assert out.out.count("Updating (alpha)") == 2
    assert "[secret]" in out.out
    assert found(CANARIES, *said, *(each.read_bytes() for each in files)) == []
    assert found(CANARIES, *said, *printed()), "the engine did print them"


SECRET_KEYS = (*(secret.key for secret in SECRETS if secret.required or secret.needed_by), MAIL_SECRET)


def recorded(life: int, changes: dict[str, Any]) -> tuple[list[Registration], list[str]]:
    """Alpha with a canary for each secret, and the canaries, which are of letters: some places take no others."""
    values = {key: f"canary{life}{key}{'x' * 24}" for key in SECRET_KEYS}
    return record("alpha", alpha_with(changes), values).registrations, list(values.values())


def test_no_form_of_a_diff_holds_a_canary(tmp_path: Path) -> None:
    """Text, Markdown, JSON, and the comment that is made of the JSON; secrets changed, created and deleted."""
    (one, first), (other, second) = recorded(1, {}), recorded(2, {"nats": REMOVED})
    third, more = recorded(3, {})
    canaries = [*first, *second, *more]
    assert len(canaries) >= NUMBER
    inputs = json.dumps([each.inputs for each in (*one, *other, *third)])
    assert len({canary for canary, _ in found(canaries, inputs)}) >= NUMBER // 2, "the objects do hold them"
    for sides in ((one, other), (other, one), (one, third), ([], one), (one, [])):
        change = change_of(("alpha", "beta"), (), (), sides)
        document = json.dumps(as_document(change))
        (tmp_path / "diff.json").write_text(document)
        comment = comment_text([read_document(document.encode(), "diff.json")], "a" * 40)
        assert found(canaries, as_text(change), as_markdown(change), document, comment) == []


def test_a_secret_is_hidden_in_the_forms_in_which_an_engine_may_print_it() -> None:
    """Data of a Secret are in base64, addresses and JSON have escapes; ordinary words stay."""
    hide = Filter(CANARIES)
    for canary in CANARIES:
        for name in ("plain", "JSON", "JSON without escapes", "HTML", "URL", "hexadecimal"):
            assert hide(f"a {ENCODINGS[name](canary)} b") == "a [secret] b"
        assert hide(f"a: {b64encode(canary.encode()).decode()}") == "a: [secret]"
    assert hide("Updating (alpha): 3 objects") == "Updating (alpha): 3 objects"
    assert Filter(["abc"])("abcdef") == "abcdef"
