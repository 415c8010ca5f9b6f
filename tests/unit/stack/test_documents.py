"""Files that people write: each fault of YAML and JSON is one sentence with place and cure."""

from pathlib import Path

import pytest

from components.stack.documents import (
    UnreadableError,
    parse_yaml,
    read_json,
    read_text,
    read_yaml,
    stack_files,
    stack_of,
)


def reason(text: str) -> str:
    """Why a YAML text is refused."""
    with pytest.raises(UnreadableError) as refused:
        parse_yaml(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "has the key 'a' twice in one block: lines 1 and 3; remove one"),
        ("x:\n  y: 1\n  y: 1\n", "has the key 'y' twice in one block: lines 2 and 3; remove one"),
        ("- {z: 1, 'z': 2}\n", "has the key 'z' twice in one block: lines 1 and 1; remove one"),
        ("a:\n\tb: 1\n", "is not YAML: line 2 begins with a tab; indent with spaces"),
        ("a: 1\n  \tb: 2\n  : [\n", "is not YAML: line 2 begins with a tab; indent with spaces"),
        ("a: [\n", "is not YAML: line 2, column 1: did not find expected node content"),
        ("a: [", "is not YAML: line 2, column 1: did not find expected node content"),
        ("a: *no\n", "is not YAML: line 1, column 4: found undefined alias"),
        ("a: \x00\n", "is not YAML: unacceptable character"),
    ],
)
def test_a_fault_of_yaml_has_place_and_cure(text: str, message: str) -> None:
    """A repeated key is one: a reader would silently use the last value."""
    assert reason(text).startswith(message)


def test_equal_keys_of_different_blocks_and_merged_ones_are_no_fault() -> None:
    """The control: the same key further down, a number beside its text, an anchor's key that is set again."""
    text = "a: {k: 1}\nb: {k: 2}\n1: x\n'1': y\nc: &c {k: 3, m: 4}\nd:\n  <<: *c\n  k: 5\n"
    assert parse_yaml(text)["d"] == {"k": 5, "m": 4}
    assert parse_yaml("") is None


def test_json_of_blocks_without_end_is_refused(tmp_path: Path) -> None:
    """Python's reader runs out of stack."""
    file = tmp_path / "deep.json"
    file.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(UnreadableError, match="blocks in blocks without end"):
        read_json(file)


def test_a_fault_of_json_has_its_place(tmp_path: Path) -> None:
    """Such as a file that was cut off; the control is a whole one."""
    file = tmp_path / "plan.json"
    file.write_text('{"a": 1,\n', encoding="utf-8")
    with pytest.raises(UnreadableError, match=r"^is cut off or no JSON: line 2, column 1: "):
        read_json(file)
    file.write_text('{"a": 1}', encoding="utf-8")
    assert read_json(file) == {"a": 1}


def test_a_file_of_another_encoding_names_the_line(tmp_path: Path) -> None:
    """So that the letter can be found."""
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(UnreadableError, match=r"^is not UTF-8: byte 8 in line 2; save it as UTF-8$"):
        read_yaml(file)


def test_the_name_of_a_stack_may_hold_dots(tmp_path: Path) -> None:
    """Commands complete and list the name by which the stack is asked for."""
    for name in ("Pulumi.yaml", "Pulumi.eu.prod.yaml", "Pulumi.alpha.yaml", "Drift.alpha.yaml"):
        (tmp_path / name).touch()
    files = stack_files(tmp_path)
    assert list(files) == ["alpha", "eu.prod"]
    assert {stack_of(file) for file in files.values()} == files.keys()


def test_a_folder_and_a_forbidden_file_say_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file is left to the caller, who knows what else could be meant."""
    with pytest.raises(UnreadableError, match=r"^cannot be read: Is a directory$"):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none")

    def forbidden(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(UnreadableError, match=r"^cannot be read: Permission denied$"):
        read_text(tmp_path / "x")
