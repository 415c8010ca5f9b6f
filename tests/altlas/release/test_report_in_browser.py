"""Report and comment in headless Chromium: they say nothing, ask for nothing, and their parts can be heard."""

from pathlib import Path

from markdown_it import MarkdownIt

from altlas.release.pull_request import comment_text
from altlas.release.read_document import read_document
from tests.altlas.conftest import Altlas
from tests.support.browser import browser


def test_chromium_opens_the_report_without_a_word_or_a_request(altlas: Altlas, tmp_path: Path) -> None:
    """In both colour schemes; a planted picture from elsewhere is noticed."""
    path = tmp_path / "report.html"
    done = altlas("report", str(path), "alpha", "beta", "--nodes", "3x8x32")
    assert done.code == 0, done.error
    with browser(tmp_path / "profile") as chromium:
        for scheme in ("light", "dark"):
            seen = chromium.open(path, prefers_color_scheme=scheme)
            assert (seen.requests, seen.complaints) == ([path.as_uri()], [])
            background = chromium.value("getComputedStyle(document.body).backgroundColor")
            assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
        roles = [role for role, _ in seen.roles]
        assert {"banner", "navigation", "main", "table", "columnheader", "rowheader"} <= set(roles)
        assert ("heading", "Capacity") in seen.roles
        assert any(role == "image" and name.startswith("Service map of beta") for role, name in seen.roles)
        planted = path.read_text().replace("</main>", '<img src="http://127.0.0.1:9/x.png" alt=""></main>')
        path.write_text(planted)
        assert "Content Security Policy" in "".join(chromium.open(path).complaints)


def test_chromium_shows_the_comment_of_a_pull_request_without_a_request(altlas: Altlas, tmp_path: Path) -> None:
    """As CommonMark with tables renders it; GitHub's own style and filter are not here."""
    done = altlas("diff", "alpha", "beta", "--json")
    text = comment_text([read_document(done.out.encode(), "diff")], "a" * 40)
    path = tmp_path / "comment.html"
    body = MarkdownIt("commonmark").enable("table").render(text)
    path.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>comment</title><main>{body}</main>')
    with browser(tmp_path / "profile") as chromium:
        seen = chromium.open(path)
        assert (seen.requests, seen.complaints) == ([path.as_uri()], [])
        assert {"main", "table", "columnheader", "code", "DisclosureTriangle"} <= {role for role, _ in seen.roles}
        assert chromium.value("document.querySelectorAll('table').length") == 3
        assert chromium.value("document.querySelectorAll('img, a, script, iframe').length") == 0
