"""The report in headless Chromium: it says nothing, asks for nothing, and its parts can be heard."""

from pathlib import Path

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
