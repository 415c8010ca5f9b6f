"""Plots of a recording, as a browser shows them."""

from pathlib import Path

from tests.motion.plot import motion_page, node_counts
from tests.motion.recording import Event, Sample
from tests.support.browser import browser

USAGE = {"runner": [(11.0, 40), (15.0, 400)]}
ROWS = {"runner": [Sample(10, 2, 2, 2), Sample(12, 2, 4, 2), Sample(15, 4, 4, 4), Sample(20, 3, 3, 3)]}


def test_a_line_has_a_corner_for_each_step_and_ends_with_the_recording() -> None:
    """Ready pods as a line, desired ones as dashes, on one scale."""
    text = motion_page(ROWS, [(10, 3), (30, 4)], USAGE, "")
    corners = "40.0,65.0 126.0,65.0 126.0,65.0 255.0,65.0 255.0,10.0 470.0,10.0 470.0,37.5 900.0,37.5"
    assert f'points="{corners}"' in text
    assert 'aria-label="runner over 20 seconds: from 2 to 4"' in text
    assert 'aria-label="millicores of runner over 20 seconds: from 40 to 400"' in text
    assert 'aria-label="nodes over 20 seconds: from 3 to 4"' in text


def test_nodes_are_counted_in_the_order_of_their_changes() -> None:
    """Changes of a node that is there already are none."""
    changes = [(1, "ADDED", "a"), (2, "ADDED", "b"), (3, "MODIFIED", "a"), (5, "DELETED", "b"), (4, "ADDED", "c")]
    events = [
        Event(second, kind, {"kind": "Node", "metadata": {"name": name, "resourceVersion": str(second)}})
        for second, kind, name in changes
    ]
    assert node_counts(events) == [(1, 1), (2, 2), (4, 3), (5, 2)]


def test_chromium_shows_the_plots_without_a_word_or_a_request(tmp_path: Path) -> None:
    """Pods and usage of each service, and the nodes."""
    path = tmp_path / "motion.html"
    path.write_text(motion_page(ROWS, [(10, 3), (30, 4)], USAGE, "of a test"))
    with browser(tmp_path / "profile") as chromium:
        seen = chromium.open(path)
        assert (seen.requests, seen.complaints) == ([path.as_uri()], [])
        assert [name for role, name in seen.roles if role == "image"] == [
            "runner over 20 seconds: from 2 to 4",
            "millicores of runner over 20 seconds: from 40 to 400",
            "nodes over 20 seconds: from 3 to 4",
        ]
