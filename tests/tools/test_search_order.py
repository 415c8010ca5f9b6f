"""Sources of a program: PATH, cache, download, build, in this order."""

from pathlib import Path

import pytest

from tests.support.sandbox import ReleaseServer, Sandbox, program_text
from tools.__main__ import main


def ensure(sandbox: Sandbox, *names: str) -> int:
    """Run `ensure` in this process."""
    return main(["--manifest", str(sandbox.manifest), "ensure", *names])


def test_a_program_on_path_at_the_pinned_version_is_used(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The program on PATH is taken, and nothing is put into the cache."""
    program = sandbox.executable("demo", program_text("1.2.3"))
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    assert capsys.readouterr().out == f"{program}\n"
    assert sandbox.finished("demo") == []


@pytest.mark.parametrize("version", ["1.2.4", "1.2.30", "11.2.3", "1.2.3-rc.1", "1.2"])
def test_another_version_on_path_is_not_used(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """A program on PATH that answers with any other version is passed over, and ours is built."""
    sandbox.executable("demo", program_text(version))
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    assert capsys.readouterr().out == f"{sandbox.finished('demo')[0] / 'demo'}\n"
    assert len(sandbox.builds) == 1


def test_the_version_of_a_program_on_path_is_asked_once_until_its_file_changes(sandbox: Sandbox) -> None:
    """The second run does not start the program; a changed file is asked again."""
    log = sandbox.folder / "starts"
    text = b"#!/bin/sh\necho started >> %s\necho 1.2.3\n" % str(log).encode()
    sandbox.executable("demo", text)
    sandbox.package("demo")
    assert [ensure(sandbox), ensure(sandbox)] == [0, 0]
    assert log.read_text("utf-8") == "started\n"
    sandbox.executable("demo", text + b"\n")
    assert ensure(sandbox) == 0
    assert log.read_text("utf-8") == "started\nstarted\n"


def test_a_program_on_path_without_its_companion_is_not_used(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs that must lie side by side are taken from PATH only when they do."""
    sandbox.executable("demo", program_text("1.2.3"))
    sandbox.package("demo", built=False, programs=["demo", "demo-helper"])
    assert ensure(sandbox) == 3
    assert "has the right version, but not beside it: demo-helper\n" in capsys.readouterr().err


def test_companions_on_path_are_looked_for_beside_the_real_file(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link on PATH is followed to the folder in which all the programs really lie."""
    real = sandbox.folder / "installed"
    real.mkdir()
    for name in ("demo", "demo-helper"):
        sandbox.executable(name, program_text("1.2.3")).rename(real / name)
    (sandbox.folder / "bin" / "demo").symlink_to(real / "demo")
    sandbox.package("demo", built=False, programs=["demo", "demo-helper"])
    assert ensure(sandbox) == 0
    assert capsys.readouterr().out == f"{real / 'demo'}\n{real / 'demo-helper'}\n"


def test_the_cache_is_preferred_to_download_and_build(sandbox: Sandbox, releases: ReleaseServer) -> None:
    """The next run neither downloads nor builds what one run has put into the cache."""
    sandbox.package("demo", releases=releases.release("demo", program_text("1.2.3")))
    assert [ensure(sandbox), ensure(sandbox)] == [0, 0]
    assert releases.requests == [("/releases.example/demo", None)]
    assert sandbox.builds == []


def test_a_program_is_built_when_there_is_no_release(sandbox: Sandbox) -> None:
    """Without a release for this platform, the Go module is built with the flags that make it reproducible."""
    sandbox.package("demo")
    sandbox.document["modules"]["module-demo"]["ldflags"] = "-X example.org/version=1.2.3"
    sandbox.save()
    assert ensure(sandbox) == 0
    (arguments,) = sandbox.builds
    assert arguments.startswith(
        "build -trimpath -buildvcs=false -gcflags=all=-dwarf=false -ldflags -s -w -X example.org/"
    )
    assert arguments.endswith("/programs/demo example.org/demo")


def test_programs_of_one_module_are_built_by_one_command(sandbox: Sandbox) -> None:
    """Two packages that share a Go module cost one `go build`, and each gets its own folder."""
    for name in ("first", "second"):
        step = {"module": "shared", "package": f"example.org/cmd/{name}", "program": name}
        sandbox.package(name, built=False, build={"steps": [step]})
    sandbox.module("shared")
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 1
    assert [len(sandbox.finished(name)) for name in ("first", "second")] == [1, 1]


def test_files_of_a_module_are_copied_into_the_package_and_into_the_build(sandbox: Sandbox) -> None:
    """A script out of a Go module lies beside the program, and a JSON input gets the values that the manifest sets."""
    source = sandbox.folder / "source"
    source.mkdir()
    (source / "helper").write_bytes(program_text("9"))
    (source / "schema.json").write_text('{"name": "demo"}', "utf-8")
    taken = {"source_module": "example.org/source"}
    step = {"module": "module", "package": ".", "program": "demo"}
    helper = {**taken, "module": "module", "source_file": "helper", "name": "demo-helper"}
    sandbox.module(
        "module", inputs=[{**taken, "source_file": "schema.json", "name": "in.json", "set": {"version": "1"}}]
    )
    sandbox.package("demo", built=False, programs=["demo", "demo-helper"], build={"steps": [step], "files": [helper]})
    # The fake compiler cannot embed the input, so it is caught on its way.
    sandbox.executable(
        "go",
        (sandbox.folder / "bin/go")
        .read_bytes()
        .replace(b'echo "$*"', b'echo "$*" < in.json; read -r line < in.json; echo "$line"'),
    )
    assert ensure(sandbox) == 0
    assert sandbox.builds[-1] == '{"name": "demo", "version": "1"}'
    assert (sandbox.finished("demo")[0] / "demo-helper").read_bytes() == program_text("9")


def edited_source(sandbox: Sandbox, pattern: str) -> None:
    """A package whose build takes a folder of another module, with one file of it edited."""
    folder = sandbox.folder / "source" / "kinds"
    (folder / "nested").mkdir(parents=True)
    (folder / "kinds.go").write_text("var a first.Kind\nvar b second.Kind\n", "utf-8")
    (folder / "nested" / "other.go").write_text("not taken", "utf-8")
    taken = {"source_module": "example.org/source", "module": "pins"}
    sandbox.module("pins")
    sandbox.module(
        "module-demo",
        inputs=[
            {**taken, "source_file": "kinds", "name": "sdk/kinds"},
            {**taken, "source_file": "kinds/kinds.go", "name": "sdk/kinds/kinds.go", "edits": [[pattern, r"\1any"]]},
        ],
    )
    sandbox.package("demo")
    text = (sandbox.folder / "bin/go").read_text("utf-8")
    caught = 'echo "$(ls -R sdk | tr "\\n" " ")" "$(tr "\\n" ";" < sdk/kinds/kinds.go)"'
    sandbox.executable("go", text.replace('echo "$*"', caught, 1).encode())
    for name in ("ls", "tr"):
        sandbox.executable(name, b"").unlink()
        (sandbox.folder / "bin" / name).symlink_to(Path("/bin") / name)


def test_a_folder_of_another_module_is_taken_and_a_file_of_it_edited(sandbox: Sandbox) -> None:
    """The files that lie directly in the folder; the edit goes over every line."""
    edited_source(sandbox, r"^(var \w+ )\w+\.Kind$")
    assert ensure(sandbox) == 0
    assert sandbox.builds == ["sdk: kinds  sdk/kinds: kinds.go  var a any;var b any;"]


def test_an_edit_that_matches_nothing_ends_the_build(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A source that has changed is not built without its edit."""
    edited_source(sandbox, "^(type )")
    assert ensure(sandbox) == 3
    assert "kinds/kinds.go has nothing that matches '^(type )'" in capsys.readouterr().err
    assert sandbox.builds == []


def test_what_pins_an_input_belongs_to_the_recipe_and_a_reason_does_not(sandbox: Sandbox) -> None:
    """Another go.mod of the input's module builds again; another explanation does not."""
    edited_source(sandbox, r"^(var \w+ )\w+\.Kind$")
    assert ensure(sandbox) == 0
    sandbox.document["packages"]["demo"]["reason"] = "explained"
    sandbox.save()
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 1
    (sandbox.folder / "go/pins/go.mod").write_text("module alt-las/pins\n\ngo 1.26.1\n", "utf-8")
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 2


def test_a_changed_recipe_builds_again(sandbox: Sandbox) -> None:
    """Another go.mod leads to another cache folder, and the old one stays until it is cleaned."""
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    (sandbox.folder / "go/module-demo/go.mod").write_text("module alt-las/demo\n\ngo 1.26.1\n", "utf-8")
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 2
    assert len(sandbox.finished("demo")) == 2


def test_a_damaged_cache_folder_is_not_used(sandbox: Sandbox) -> None:
    """A program that is shorter than it was when it was put there is built again in the same place."""
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    program = sandbox.finished("demo")[0] / "demo"
    whole = program.read_bytes()
    program.write_bytes(whole[:10])
    assert ensure(sandbox) == 0
    assert program.read_bytes() == whole
    assert len(sandbox.builds) == 2


def test_a_result_that_answers_with_another_version_is_not_kept(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that yields another version than the pinned one counts as failed."""
    monkeypatch.setenv("FAKE_GO_BUILDS", "1.2.4")
    sandbox.package("demo")
    assert ensure(sandbox) == 3
    assert "the program does not run here or is another version (1.2.4)" in capsys.readouterr().err
    assert sandbox.finished("demo") == []


def test_what_could_be_had_is_kept_when_another_program_fails(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """One program that cannot be had does not throw away the others."""
    sandbox.package("good")
    sandbox.package("bad", built=False)
    assert ensure(sandbox) == 3
    assert "good 1.2.3\n" not in capsys.readouterr().err
    assert len(sandbox.finished("good")) == 1


def test_list_names_every_program_and_builds_nothing(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The table tells where each program is, or that it is missing."""
    program: Path = sandbox.executable("here", program_text("1.2.3"))
    sandbox.package("here")
    sandbox.package("absent")
    assert main(["--manifest", str(sandbox.manifest), "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "PROGRAM  VERSION  FOUND    PATH",
        f"here     1.2.3    PATH     {program}",
        "absent   1.2.3    missing  -",
    ]
    assert sandbox.builds == []


def test_path_provides_one_program_and_prints_where_it_is(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """`path` builds what is missing, and prints the one path that was asked for."""
    sandbox.package("demo")
    sandbox.package("other")
    assert main(["--manifest", str(sandbox.manifest), "path", "demo"]) == 0
    assert capsys.readouterr().out == f"{sandbox.finished('demo')[0] / 'demo'}\n"
    assert sandbox.finished("other") == []


def test_a_cache_folder_on_path_is_not_taken_for_an_installed_program(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a changed recipe the old build is not used, even if its folder is on PATH."""
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    monkeypatch.setenv("PATH", f"{sandbox.finished('demo')[0]}:{sandbox.folder / 'bin'}")
    sandbox.document["packages"]["demo"]["recipe"] = "changed"
    sandbox.save()
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 2


def test_a_release_for_another_platform_changes_nothing_here(sandbox: Sandbox) -> None:
    """A release added for other machines does not cost a new build on this one."""
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    sandbox.document["packages"]["demo"]["releases"] = {"plan9/mips": [{"url": "https://releases.example/demo"}]}
    sandbox.save()
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == 1


def test_the_user_s_go_settings_cannot_change_what_is_built(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed go.mod is read-only, the installed Go is the one used, and no workspace interferes."""
    for name, value in {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "auto", "CGO_ENABLED": "1", "GOWORK": "/go.work"}.items():
        monkeypatch.setenv(name, value)
    sandbox.package("demo")
    assert ensure(sandbox) == 0
    assert (sandbox.folder / "go.log.settings").read_text("utf-8") == "-mod=readonly local 0 off\n"


def test_a_program_on_demand_is_provided_only_where_it_is_named(sandbox: Sandbox) -> None:
    """Without names everything else is made; its recipe does not depend on being on demand."""
    sandbox.package("demo")
    sandbox.package("rare", on_demand=True)
    assert ensure(sandbox) == 0
    assert (len(sandbox.finished("demo")), len(sandbox.finished("rare"))) == (1, 0)
    assert ensure(sandbox, "rare") == 0
    assert len(sandbox.finished("rare")) == 1
    sandbox.package("rare")
    builds = len(sandbox.builds)
    assert ensure(sandbox) == 0
    assert len(sandbox.builds) == builds
