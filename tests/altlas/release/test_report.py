"""The report about a release: one HTML file that asks for nothing, escapes every value, and can be read by all."""

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from altlas.pictures.bars import Bar, chart
from altlas.pictures.diagram import Arrow, Drawing, Node
from altlas.preflight.growth import Limit
from altlas.preflight.nodes import ClusterNode
from altlas.release.capacity import Capacity, Use
from altlas.release.dora import metrics
from altlas.release.ledger import LedgerEntry, Reading, ledger_of
from altlas.release.outages import Figure, Outage
from altlas.release.plan import read_plan
from altlas.release.report import ReleaseReport, checked, report_of_stack
from altlas.release.report_page import as_html
from altlas.release.stack_change import StackChange
from altlas.release.steps import ChangeSetting, DeleteObject, FieldChange, ObjectName, UpdateObject
from altlas.session.workspace import Workspace
from components.kubernetes.load import Amount, Load, StackLoad, WorkloadLoad
from tests.altlas.conftest import Altlas
from tests.altlas.release_stand_ins import Release
from tests.altlas.test_seal import ADA, keys, release

__all__ = ["keys", "release"]

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    '" onload="x',
    "' style='x",
    "</style><b>",
    "]]>",
    "<!--",
    "&amp;",
    "{{x}}",
    "\u202e",
)


class Structure(HTMLParser):
    """Elements of a document with the names of their attributes, what they refer to, and their texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.references: list[str] = []
        self.texts: list[str] = []
        self.problems: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            if name in {"href", "src", "action", "data", "xlink:href"}:
                self.references.append(value or "")
            if name.startswith("on") or name == "style":
                self.problems.append(name)

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """No page has one."""
        self.problems.append(data)


def report_with(text: str) -> ReleaseReport:
    """A report in which every value that comes from outside is a text."""
    name = ObjectName(type="kubernetes:core/v1:ConfigMap", logical=text, name=text, namespace=text)
    fields = (FieldChange(path=text, before=text, after={text: text}),)
    steps = (
        UpdateObject(object=name, fields=fields, undo="restore", why=text),
        DeleteObject(object=name, manifest={text: text}),
    )
    setting = ChangeSetting(field=text, before=text, after=text, decision="data", undo="one-way", why=text)
    pod = Load(1, Amount(100, 100))
    load = StackLoad((WorkloadLoad("Deployment", text, pod, 1, 4),), Load())
    outage = Outage(f"ConfigMap {text}", 1, Figure(None, text))
    change = StackChange(text, text, (setting,), (setting,), steps, (load, load), (outage,), steps, (text,))
    nodes = (Node(text, "service", (1,)), Node("b", "store"), Node("m", "monitoring"))
    drawing = Drawing(text, text, nodes, (Arrow(text, "b", text),), ((text, text),))
    capacity = Capacity(
        text,
        load,
        (ClusterNode(Amount(200, 150)),),
        {"at rest": False},
        (Limit(0.5, text),),
        (Use(text, 2, 1, "Mi"),),
    )
    body = {"result": text, "reason": text, "incident": text}
    entries = (LedgerEntry(1, text, "apply", text, body, text, text),)
    reading = Reading(entries, text)
    return ReleaseReport(
        text, NOW, (drawing, drawing), (capacity,), change, None, (), reading, (), metrics((), NOW, 90)
    )


def html(found: ReleaseReport) -> Structure:
    """The parsed page."""
    return Structure(as_html(found))


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.sampled_from(HOSTILE), st.text(min_size=1, max_size=30), st.text("<>\"'&/=-!\x00\u202e\ud800a", min_size=1)
    )
)
def test_no_value_becomes_markup(text: str) -> None:
    """Whatever the values are, the page has the same elements and attributes as with harmless ones."""
    page, plain = as_html(report_with(text)), as_html(report_with("harmless"))
    page.encode()
    found, wanted = Structure(page), Structure(plain)
    assert found.elements == wanted.elements
    assert found.problems == []
    assert {each[:1] for each in found.references} == {"#"}


def test_hidden_characters_are_shown_by_their_number() -> None:
    """A name cannot be turned round or hidden; a line break stays one."""
    texts = "".join(html(report_with("a\u202eb\u200bc\x00")).texts)
    assert "a\\u{202e}b\\u{200b}c\\u{0}" in texts
    assert not set("\u202e\u200b\x00") & set(texts)


@pytest.fixture
def whole(altlas: Altlas, tmp_path: Path) -> str:
    """The report about alpha to beta."""
    done = altlas("report", str(tmp_path / "r.html"), "alpha", "beta", "--nodes", "3x8x32")
    assert (done.code, done.out) == (0, f"Wrote {tmp_path / 'r.html'}: open it in a browser.\n"), done.error
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_report_of_alpha_to_beta_has_all_parts_and_can_be_read_by_all(whole: str) -> None:
    """Landmarks, headings without a gap, named tables, no script, and a policy that allows its own style alone."""
    found = Structure(whole)
    tags = [tag for tag, _ in found.elements]
    assert [tags.count(each) for each in ("header", "nav", "main", "h1", "script", "img", "link")] == [
        1,
        1,
        1,
        1,
        0,
        0,
        0,
    ]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("table") == tags.count("caption") == tags.count("thead") == 11
    assert [names for tag, names in found.elements if tag == "th" and "scope" not in names] == []
    assert {("role" in names, "aria-label" in names) for tag, names in found.elements if tag == "svg"} == {(True, True)}
    sections = re.findall(r'<section id="(\w+)"', whole)
    assert sections == [
        "first", "map", "steps", "settings", "capacity", "restarts", "approvals", "ledger", "delivery",
    ]  # fmt: skip
    assert found.references == [*(f"#{each}" for each in ("content", *sections))]
    style = re.search(r"<style>(.*?)</style>", whole, re.DOTALL)
    assert style
    allowed = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'" in "".join(
        re.findall(r'content="([^"]*)"', whole)
    )


def test_the_report_shows_the_steps_and_the_capacity(whole: str) -> None:
    """The same steps as `altlas diff`; the scale that does not fit, in words."""
    texts = Structure(whole).texts
    assert "Secret nats-secrets" in texts
    assert "4 of 168 steps delete, replace, or are not taken back by their inverse" in texts
    assert "58 objects, in the order of the list that is applied" in texts
    assert "112 settings differ" in texts
    assert [each for each in texts if "TOO MUCH" in each] == ["55.0 cores, TOO MUCH"]
    assert "3 nodes have no room for another pod" in texts
    assert "It has no entry yet." in texts


def relative_luminance(color: str) -> float:
    """As WCAG 2.2 defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Ratio of two colours."""
    lighter, darker = sorted((relative_luminance(one), relative_luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def palettes(page: str) -> Iterator[dict[str, str]]:
    """Colours of the light, the dark and the printed page."""
    colours: dict[str, str] = {}
    for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL):
        colours = {**colours, **dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))}
        yield colours


def test_texts_and_pictures_have_enough_contrast_in_each_scheme() -> None:
    """4.5 for texts and 3 for lines and bars, as WCAG asks for."""
    found = list(palettes(as_html(report_with("a"))))
    assert len(found) == 3
    for each in found:
        texts = [contrast(each[name], each["page"]) for name in ("text", "quiet", "link", "over")]
        soft = [contrast(each[name], each["soft"]) for name in ("text", "quiet")]
        lines = [contrast(each[name], each["page"]) for name in ("line", "bar", "over", "focus")]
        assert (min(texts + soft) >= 4.5, min(lines) >= 3) == (True, True), each
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def test_a_bar_is_as_long_as_its_value() -> None:
    """On one scale with the limit, which may be the longest."""
    drawn = chart("t", [Bar("a", 1, "1"), Bar("b", 4, "4")], 2.0, "all")
    widths = [float(each.get("width", "")) for each in drawn.iter("rect")]
    assert widths[1] == widths[0] * 4
    (line,) = drawn.iter("line")
    (first, _) = drawn.iter("rect")
    assert float(line.get("x1", "")) - float(first.get("x", "")) == widths[1] / 2


def test_a_plan_shows_its_approvals_and_one_that_does_not_hold(release: Release) -> None:
    """By the same list of steps as the plan; the deployment that follows is in the ledger."""
    release.apply()
    file = read_plan(release.path)
    found = report_of_stack(release.session.workspace, "alpha", (), release.ledger, file=file)
    assert found.steps == file.plan.typed_steps()
    texts = html(found).texts
    assert [each for each in texts if "needed approvals" in each] == ["1 of 1 needed approvals; classes: capacity"]
    assert {ADA, "holds"} <= set(texts)
    assert any(each.startswith(f"{len(release.ledger.entries())} entries; each follows") for each in texts)
    release.edit(lambda document: document["approvals"][0].update(payload="AAAA"))
    (wrong,) = checked(read_plan(release.path), release.signers)
    assert (wrong.who, "no signed statement" in wrong.problem) == ("", True)


def test_a_damaged_ledger_is_named_in_the_report(altlas: Altlas, checkout: Path, tmp_path: Path) -> None:
    """It is still written, because what it shows besides is true."""
    ledger = ledger_of(Workspace(checkout), "alpha", {})
    for number in range(3):
        ledger.append("plan", "ada", {"plan": str(number)})
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[2])
    done = altlas("report", str(tmp_path / "r.html"), "alpha")
    assert done.code == 0, done.error
    texts = Structure((tmp_path / "r.html").read_text()).texts
    assert [each for each in texts if each.startswith("DAMAGED: ")] != []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r.html", "alpha", "--plan", "p.json"), "a plan names its stack"),
        (("r.html", "--plan", "missing.json"), "the plan missing.json is missing"),
        (("r.html", "gamma"), "gamma"),
        (("r.html", "alpha", "--nodes", "many"), "many"),
        (("/proc/none/r.html", "alpha"), "cannot write /proc/none/r.html"),
    ],
)
def test_a_mistake_is_named(
    arguments: tuple[str, ...], message: str, altlas: Altlas, monkeypatch: Any, tmp_path: Path
) -> None:
    """With an exit code for bad input, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = altlas("report", *arguments)
    assert (done.code, message in done.error) == (2, True), done.error
    assert list(tmp_path.glob("*.html*")) == []
