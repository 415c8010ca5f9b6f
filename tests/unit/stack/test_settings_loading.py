"""Reading stack files: everything that can be wrong with the file itself."""

import datetime
from pathlib import Path

import pytest

from components.stack.loading import parse_platform, read_platform, read_stack_document
from components.stack.problems import SettingsError
from tests.support.documents import ROOT, alpha_with, only_problem, platform_of


def refusal(path: Path) -> tuple[str, str]:
    """Path and message of the only problem with a file."""
    with pytest.raises(SettingsError) as caught:
        read_platform(path)
    (problem,) = caught.value.problems
    return problem.path, problem.message


def written(folder: Path, content: str | bytes) -> Path:
    """A stack file with this content."""
    path = folder / "Pulumi.gamma.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_stack_file_gives_the_same_settings_as_its_document() -> None:
    """Both ways in, the command's and the program's, meet in one."""
    assert read_platform(ROOT / "Pulumi.alpha.yaml") == parse_platform(platform_of("alpha"))


def test_a_missing_stack_file_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    """A wrong stack name shows itself."""
    for stack in ("beta", "alpha"):
        (tmp_path / f"Pulumi.{stack}.yaml").touch()
    path, message = refusal(tmp_path / "Pulumi.gamma.yaml")
    assert path == "Pulumi.gamma.yaml"
    assert message == "the stack file is missing; stack files in this folder: Pulumi.alpha.yaml, Pulumi.beta.yaml"


def test_a_folder_without_stack_files_says_so(tmp_path: Path) -> None:
    """The usual cause: the wrong folder."""
    assert refusal(tmp_path / "Pulumi.x.yaml")[1] == f"the stack file is missing; there is no stack file in {tmp_path}"


@pytest.mark.parametrize(
    "content",
    ["config: {", "a: b: c", "\tconfig: 1", "config: *nowhere", "a: 2026-13-45", "a: !unknown 1", "--- 1\n--- 2"],
    ids=["bracket", "colon", "tab", "alias", "impossible date", "tag", "two documents"],
)
def test_what_is_not_yaml_is_refused_without_a_traceback(tmp_path: Path, content: str) -> None:
    """On one line, with the parser's own words about where."""
    path, message = refusal(written(tmp_path, content))
    assert path == "Pulumi.gamma.yaml"
    assert message.startswith("is not YAML: ")
    assert "\n" not in message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Such as one that was saved in another encoding."""
    assert refusal(written(tmp_path, b"config: \xff\xfe"))[1] == "is not UTF-8: byte 8 in line 1; save it as UTF-8"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """Whatever the operating system says is passed on."""
    (tmp_path / "Pulumi.gamma.yaml").mkdir()
    assert refusal(tmp_path / "Pulumi.gamma.yaml")[1].startswith("cannot be read: ")


@pytest.mark.parametrize("content", ["", "text", "- config", "5"])
def test_a_file_that_is_no_block_is_refused(tmp_path: Path, content: str) -> None:
    """The message says which key must be there."""
    path = written(tmp_path, content)
    with pytest.raises(SettingsError, match=r"Pulumi\.gamma\.yaml: must be a block with the key 'config'"):
        read_stack_document(path)


@pytest.mark.parametrize("content", ["encryptionsalt: x", "config:", "config: []", "config: {alt-las:other: 1}"])
def test_a_file_without_the_platform_key_says_where_to_write_it(tmp_path: Path, content: str) -> None:
    """Both levels are named."""
    assert refusal(written(tmp_path, content)) == (
        "Pulumi.gamma.yaml",
        "has no settings; write them below 'config:' under the key 'alt-las:platform'",
    )


def test_a_date_is_refused_where_it_stands() -> None:
    """YAML takes a tag such as 2026-01-31 for a date unless it is in quotes."""
    document = alpha_with({"services.runner-service.image.tag": datetime.date(2026, 1, 31)})
    assert only_problem(document) == (
        "services.runner-service.image.tag",
        "has the wrong type; it must be text; put it in quotes",
    )


@pytest.mark.parametrize("key", ["rollout", "additionalCalls", "services", "services.archive-service.probes"])
def test_a_date_in_place_of_a_block_is_refused_too(key: str) -> None:
    """It must not pass for an empty block, whose defaults would be taken."""
    path, message = only_problem(alpha_with({key: datetime.date(2026, 1, 31)}))
    assert path == key
    assert message.startswith("has the wrong type; ")


def test_a_block_that_holds_itself_or_a_key_that_is_no_text_is_refused() -> None:
    """Both are YAML, neither can be a setting."""
    endless = platform_of("alpha")
    endless["ingress"] = endless
    dated = platform_of("alpha") | {datetime.date(2026, 1, 31): 1}
    expected = ("", "holds what is no setting: a key that is not text, or a block that holds itself")
    assert only_problem(endless) == expected
    assert only_problem(dated) == expected
