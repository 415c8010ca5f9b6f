"""The commands of the workflows against a stand-in of GitHub: life of a comment, environments, identity of a job."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from altlas.release.document import as_document
from altlas.release.markdown import LIMIT
from altlas.release.pull_request import MARK, comment_text
from altlas.release.read_document import read_document
from altlas.release.stack_change import StackChange
from altlas.release.steps import ChangeSetting, DeleteObject
from rendering.errors import CommandError
from tests.altlas.conftest import Altlas
from tests.altlas.release.test_markdown import change, name, update
from tests.altlas.release.test_report import Structure, report_with
from tests.support.github_server import BOT, TOKEN, World, github_server

ONE, OTHER = "a" * 40, "b" * 40
RUN = "https://github.com/atlas/platform/actions/runs/7"
HOSTILE = (
    "@atlas/owners",
    "</details>",
    "<!-- x -->",
    "![x](http://x)",
    "`",
    "```",
    "~~~",
    "|",
    "\n# x",
    "[a](b)",
    "\u202e",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """GitHub, and the environment of a job."""
    with github_server() as found:
        for key, value in found.variables.items():
            monkeypatch.setenv(key, value)
        yield found


def written(folder: Path, found: StackChange) -> str:
    """File of a change, as a job without rights writes it."""
    path = folder / "alpha.json"
    path.write_text(json.dumps(as_document(found)))
    return str(path)


def comment(altlas: Altlas, *arguments: str) -> str:
    """Result that `altlas github comment` prints; it must end well, and never prints the token."""
    done = altlas("github", "comment", *arguments, "--pull", "7")
    assert (done.code, TOKEN in done.out + done.error) == (0, False), done.error
    return done.out.removeprefix("Comment of pull request 7: ").removesuffix(".\n")


def test_a_comment_is_made_once_then_updated_and_marked_at_the_end(
    altlas: Altlas, world: World, tmp_path: Path
) -> None:
    """Behind more than a page of other comments; the same text is not written again."""
    for number in range(130):
        world.say(7, "ada", f"{number}")
    path = written(tmp_path, change(update("one", "x")))
    assert comment(altlas, path, "--commit", ONE, "--link", RUN) == "created"
    (first,) = world.bodies(7)
    assert first.startswith(
        f"{MARK}\n_Changes of commit aaaaaaaaaaaa, [files]({RUN}); updated with each push._\n\n### `alpha"
    )
    assert comment(altlas, path, "--commit", ONE, "--link", RUN) == "unchanged"
    path = written(tmp_path, change(update("one", "x"), DeleteObject(object=name("two"), manifest={})))
    assert comment(altlas, path, "--commit", OTHER) == "updated"
    (second,) = world.bodies(7)
    assert "| delete | `ConfigMap two` |" in second
    assert comment(altlas, "--closed") == "updated"
    (last,) = world.bodies(7)
    assert last == second.replace("; updated with each push._", "; the pull request is closed._")
    assert comment(altlas, "--closed") == "unchanged"
    assert [each for each in world.requests if not each.startswith("GET ")] == [
        "POST /repos/atlas/platform/issues/7/comments",
        *["PATCH /repos/atlas/platform/issues/comments/131"] * 2,
    ]
    assert len(world.comments[7]) == 131


def test_a_change_over_the_limit_names_its_deletions_or_says_how_many_there_are(
    altlas: Altlas, world: World, tmp_path: Path
) -> None:
    """2,000 changes are cut; too many deletions for any comment are counted, and the run has the whole text."""
    many = [update(f"object-{number:04}", "x" * 300) for number in range(2000)]
    path = written(tmp_path, change(*many, DeleteObject(object=name("gone"), manifest={})))
    assert comment(altlas, path, path, "--commit", ONE) == "created"
    (body,) = world.bodies(7)
    assert len(body.encode()) <= LIMIT
    assert body.count("`ConfigMap gone`") == body.count("Cut here:") == 2
    gone = [DeleteObject(object=name(f"{number:063}"), manifest={}) for number in range(2000)]
    assert comment(altlas, written(tmp_path, change(*gone)), "--commit", ONE, "--link", RUN) == "updated"
    (body,) = world.bodies(7)
    assert "**2000 objects change, too many for a comment**: the 2000 deletions" in body
    assert f"[files]({RUN})" in body


def test_a_request_that_changes_nothing_gets_no_comment_and_an_older_one_is_corrected(
    altlas: Altlas, world: World, tmp_path: Path
) -> None:
    """No noise, and nothing that is no longer true."""
    path = written(tmp_path, change())
    assert comment(altlas, path, "--commit", ONE) == "not needed"
    assert comment(altlas, "--closed") == "not needed"
    assert world.comments == {}
    comment(altlas, written(tmp_path, change(update("one", "x"))), "--commit", ONE)
    assert comment(altlas, written(tmp_path, change()), "--commit", OTHER) == "updated"
    assert world.bodies(7)[0].endswith("No stack makes other objects.\n")


def test_a_stranger_who_writes_the_mark_keeps_his_comment(altlas: Altlas, world: World, tmp_path: Path) -> None:
    """Only the job's own comment is ever changed."""
    world.say(7, "eve", f"{MARK}\nmine")
    assert comment(altlas, written(tmp_path, change(update("one", "x"))), "--commit", ONE) == "created"
    assert world.bodies(7, "eve") == [f"{MARK}\nmine"]


def rendered(text: str) -> Structure:
    """Elements of the comment as CommonMark with tables makes them; GitHub allows some HTML in it."""
    return Structure(MarkdownIt("commonmark").enable("table").render(text))


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=20), st.text("`|\n<@#![]()a~*_\u202e", min_size=1))
)
def test_text_of_the_pull_request_stays_data(text: str) -> None:
    """Read from JSON and shown: the comment has the elements that it has with harmless values, and no other."""
    documents = [as_document(found) for each in (text, "harmless") if (found := report_with(each).change)]
    shown, plain = (
        rendered(comment_text([read_document(json.dumps(each).encode(), "alpha.json")], ONE)) for each in documents
    )
    assert set(shown.elements) == set(plain.elements)
    assert [tag for tag, _ in shown.elements if tag != "code"] == [tag for tag, _ in plain.elements if tag != "code"]
    assert (shown.references, shown.problems) == (plain.references, plain.problems) == ([], [MARK[4:-3]])


def test_markup_that_is_not_escaped_would_be_noticed() -> None:
    """Control: a link, a picture and an element in plain Markdown."""
    found = rendered("[a](b) ![x](http://x) <b>c</b>\n\n| a |\n|---|\n| <script> |\n")
    assert found.references == ["b", "http://x"]
    assert {"a", "img", "b", "table", "script"} <= {tag for tag, _ in found.elements}


def test_what_is_read_is_what_was_written() -> None:
    """Steps, settings, loads and restarts; so the comment is that of `altlas diff --format markdown`."""
    setting = ChangeSetting(field="a.b", before=9, after=1, decision="data", undo="one-way", why="gone for good")
    found = report_with("x").change
    assert found
    for each in (found, change(update("one", {"a": [1]}), settings=(setting,))):
        document = as_document(each)
        read = read_document(json.dumps(document).encode(), "it")
        again = as_document(read)
        assert {**again, "data": [], "settings": []} == {**document, "data": [], "settings": []}
        assert comment_text([read], ONE) == comment_text([each], ONE)


@pytest.mark.parametrize("content", ["", "[]", '{"from": 1}', "null", '{"steps": [{"step": "fly"}]}', "\x00"])
def test_a_file_of_another_form_is_refused_without_its_content(content: str) -> None:
    """By name and place."""
    with pytest.raises(CommandError, match=r"^alpha\.json is not what `altlas diff --json` prints: "):
        read_document(content.encode(), "alpha.json")


def test_a_file_of_other_steps_is_refused() -> None:
    """An unknown step is no step."""
    document = as_document(change()) | {"steps": [{"step": "run", "command": "id"}]}
    with pytest.raises(CommandError, match=r"^alpha\.json is no list of steps of this version"):
        read_document(json.dumps(document).encode(), "alpha.json")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "GitHub refuses GET issues/7/comments (401): no: Bearer [secret]; look at the permissions of the job"),
        (403, "(403): no: Bearer [secret]; look at the permissions of the job and of its token"),
        (404, "GitHub refuses GET issues/7/comments (404): no: Bearer [secret]"),
        (500, "GitHub refuses GET issues/7/comments (500): no: Bearer [secret]"),
    ],
)
def test_a_refusal_is_named_without_the_token(
    status: int, message: str, altlas: Altlas, world: World, tmp_path: Path
) -> None:
    """Even where the server sends it back."""
    world.answer = status
    done = altlas("github", "comment", written(tmp_path, change(update("a", "b"))), "--pull", "7", "--commit", ONE)
    assert (done.code, message in done.error, TOKEN in done.error) == (7, True, False), done.error


def test_the_token_follows_no_redirect(altlas: Altlas, world: World, tmp_path: Path) -> None:
    """Another server would get it."""
    with github_server() as other:
        world.redirect = f"{other.address}/elsewhere"
        done = altlas("github", "comment", written(tmp_path, change(update("a", "b"))), "--pull", "7", "--commit", ONE)
        assert (done.code, "(302)" in done.error, other.requests) == (7, True, []), done.error


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GITHUB_TOKEN", "", "set GITHUB_TOKEN"),
        ("GITHUB_REPOSITORY", "", "set GITHUB_REPOSITORY"),
        ("GITHUB_REPOSITORY", "a/b/../../c", "must be OWNER/NAME"),
        ("GITHUB_API_URL", "http://example.org", "must begin with https://"),
        ("GITHUB_API_URL", "file:///etc", "must begin with https://"),
    ],
)
def test_a_wrong_environment_sends_nothing(
    variable: str, value: str, message: str, *, altlas: Altlas, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request leaves."""
    monkeypatch.setenv(variable, value)
    done = altlas("github", "comment", "--closed", "--pull", "7")
    assert (done.code, message in done.error, world.requests) == (2, True, []), done.error


@pytest.mark.parametrize(("option", "value"), [("--commit", "main; id"), ("--link", "javascript:x)")])
def test_commit_and_link_must_be_what_they_say(option: str, value: str, altlas: Altlas, world: World) -> None:
    """They stand outside of code."""
    done = altlas("github", "comment", "--pull", "7", *({"--commit": ONE} | {option: value}).popitem(), "--commit", *(
        [value] if option == "--commit" else [ONE]))  # fmt: skip
    assert (done.code, f"{option} must be" in done.error, world.comments) == (2, True, {}), done.error


REVIEWERS: dict[str, Any] = {"type": "required_reviewers", "reviewers": [{"type": "User"}, {"type": "Team"}]}


@pytest.mark.parametrize(
    ("rules", "code", "message"),
    [
        (None, 7, "has no environment beta, and GitHub would make one without rules"),
        ([], 7, "the environment beta has no required reviewers"),
        ([{"type": "wait_timer", "wait_timer": 30}], 7, "has no required reviewers"),
        ([{"type": "required_reviewers", "reviewers": []}], 7, "has no required reviewers"),
        ([REVIEWERS], 0, "The environment beta needs an approval by one of 2 reviewers."),
    ],
)
def test_an_environment_must_exist_and_have_reviewers(
    rules: list[dict[str, Any]] | None, code: int, message: str, altlas: Altlas, world: World
) -> None:
    """GitHub makes a missing one silently, without protection."""
    world.environments = {} if rules is None else {"beta": rules}
    done = altlas("github", "environment", "beta")
    assert (done.code, message in done.out + done.error) == (code, True), done.error


def test_a_job_shows_its_identity_to_kubectl(
    altlas: Altlas, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubeconfig names the command and holds no secret; the command prints a token with its expiry."""
    path = tmp_path / "folder" / "kubeconfig"
    monkeypatch.setenv("ALT_LAS_SERVER", "https://cluster.example.org:6443")
    monkeypatch.setenv("ALT_LAS_AUTHORITY", "certificates")
    assert altlas("github", "kubeconfig", str(path)).code == 0
    document = json.loads(path.read_text())
    asked = document["users"][0]["user"]["exec"]
    assert asked["args"] == ["github", "credential", "--audience", "kubernetes"]
    assert b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]) == b"certificates"
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{world.address}/identity?v=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", TOKEN)
    done = altlas(*asked["args"])
    status = json.loads(done.out)["status"]
    assert status["expirationTimestamp"] == "2030-03-17T17:46:40Z"
    assert json.loads(b64decode(status["token"].split(".")[1] + "=="))["aud"] == "kubernetes"
    world.answer = 403
    done = altlas(*asked["args"])
    assert (done.code, done.error) == (4, "error: GitHub gives no identity: 403\n")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    done = altlas(*asked["args"])
    assert (done.code, "give the job the permission id-token: write" in done.error) == (2, True)
    assert altlas("github", "kubeconfig", str(path), "--server", "http://x").code == 2
    assert BOT not in path.read_text()
