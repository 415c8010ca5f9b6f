"""The answer of `ensure`, the links for Pulumi, and the manifest of the project itself."""

import re
from pathlib import Path

import pytest

import tools
from tests.support.sandbox import program_text
from tools.manifest import Manifest, Package
from tools.toolbox import Location, Toolbox

MANIFEST = Manifest.load()


def location(folder: Path, name: str, how: str = "cache", plugin: str | None = None) -> Location:
    """Return a package that lies in an own folder."""
    home = folder / f"home-of-{name}"
    home.mkdir()
    (home / name).write_bytes(program_text("1.2.3"))
    entry = {"version": "1.2.3", "pulumi_plugin": plugin}
    return Location(Package.parse(name, entry), home, how)


def test_the_toolbox_knows_paths_versions_and_folders(tmp_path: Path) -> None:
    """Our folders come before those of PATH, and Pulumi's plugins are not among them."""
    system = location(tmp_path, "system", "PATH")
    plugin = location(tmp_path, "plugin", plugin="resource-demo")
    cached = location(tmp_path, "cached")
    toolbox = Toolbox({item.package.name: item for item in (system, plugin, cached)})
    assert toolbox.path("plugin") == tmp_path / "home-of-plugin" / "plugin"
    assert toolbox.versions == {"system": "1.2.3", "plugin": "1.2.3", "cached": "1.2.3"}
    assert toolbox.directories() == (cached.folder, system.folder)


def test_asking_a_toolbox_for_what_it_does_not_hold_is_an_error(tmp_path: Path) -> None:
    """The error names the program and what there is."""
    toolbox = Toolbox({"demo": location(tmp_path, "demo")})
    with pytest.raises(tools.ToolsError, match=r"^'other' is not in this toolbox, which holds: demo$"):
        toolbox.path("other")


def test_a_plugin_is_linked_into_a_real_folder_where_pulumi_looks(tmp_path: Path) -> None:
    """Pulumi skips linked folders and folders with a `.partial` mark, so neither is left; old links are replaced."""
    plugin = location(tmp_path, "pulumi-resource-demo", plugin="resource-demo")
    folder = tmp_path / "pulumi" / "plugins" / "resource-demo-v1.2.3"
    folder.mkdir(parents=True)
    (folder / "pulumi-resource-demo").symlink_to(tmp_path / "gone")
    folder.with_name("resource-demo-v1.2.3.partial").touch()
    toolbox = Toolbox({"pulumi-resource-demo": plugin, "other": location(tmp_path, "other")})
    for _ in range(2):
        assert tools.link_plugins(toolbox, tmp_path / "pulumi") == (folder / "pulumi-resource-demo",)
    assert (folder / "pulumi-resource-demo").resolve() == plugin.folder / "pulumi-resource-demo"
    assert [item.name for item in folder.parent.iterdir()] == ["resource-demo-v1.2.3"]
    assert [item.name for item in folder.iterdir()] == ["pulumi-resource-demo"]


def test_a_link_to_another_build_is_replaced(tmp_path: Path) -> None:
    """A link that an earlier recipe left behind is turned to the current program, though its target still exists."""
    plugin = location(tmp_path, "pulumi-resource-demo", plugin="resource-demo")
    link = tmp_path / "plugins" / "resource-demo-v1.2.3" / "pulumi-resource-demo"
    link.parent.mkdir(parents=True)
    (tmp_path / "older").write_bytes(b"older build")
    link.symlink_to(tmp_path / "older")
    assert tools.link_plugins(Toolbox({"demo": plugin}), tmp_path) == (link,)
    assert link.read_bytes() == program_text("1.2.3")


def test_a_plugin_that_pulumi_installed_itself_is_left_as_it_is(tmp_path: Path) -> None:
    """A complete installation at the same version is not touched."""
    plugin = location(tmp_path, "pulumi-resource-demo", plugin="resource-demo")
    installed = tmp_path / "plugins" / "resource-demo-v1.2.3" / "pulumi-resource-demo"
    installed.parent.mkdir(parents=True)
    installed.write_bytes(b"installed by Pulumi")
    assert tools.link_plugins(Toolbox({"demo": plugin}), tmp_path) == (installed,)
    assert installed.read_bytes() == b"installed by Pulumi"
    assert not installed.is_symlink()


def test_nothing_is_provided_when_nothing_is_asked_for() -> None:
    """An empty request is not the request for everything."""
    assert tools.ensure([]).versions == {}


@pytest.mark.parametrize(
    ("program", "version"),
    [
        ("pulumi", "3.259.0"),
        ("pulumi-language-python", "3.259.0"),
        ("pulumi-language-python-exec", "3.259.0"),
        ("pulumi-resource-kubernetes", "4.25.0"),
        ("etcd", "3.6.5"),
        ("kube-apiserver", "1.35.4"),
        ("kube-controller-manager", "1.35.4"),
        ("kube-scheduler", "1.35.4"),
        ("kubectl", "1.35.4"),
        ("kwok", "0.8.0"),
        ("kubelet", "1.35.4"),
        ("kube-proxy", "1.35.4"),
    ],
)
def test_the_project_pins_this_version(program: str, version: str) -> None:
    """A version changes here and in the manifest together, never by accident."""
    assert tools.pinned_version(program) == version


_OF_NODES = {"kubelet", "kube-proxy", "kube-router", "coredns", "metrics-server", "pause"} | {
    "cloudnative-pg",
    "prometheus-operator",
    "prometheus-config-reloader",
    "blackbox_exporter",
}
ONLY_BUILT = {
    "kube-score",
    "trivy",
    "vulnerability-databases",
    "alloy-syntax",
    "grafana-schema",
    "monitoring-check",
    "flagger",
    "helm",
    "karpenter-kwok",
    "vpa-recommender",
} | _OF_NODES
"""Programs without a release, without a known checksum of it, or whose releases are not to be used."""


@pytest.mark.parametrize("package", MANIFEST.packages.values(), ids=lambda package: str(package.name))
def test_every_program_is_downloaded_first_or_says_why_not(package: Package) -> None:
    """Both platforms have a release with a checksum, whose source is named, and every program of the package."""
    entry = MANIFEST.document["packages"][package.name]
    assert ({"linux/amd64", "linux/arm64"} <= package.releases.keys()) != (package.name in ONLY_BUILT)
    assert package.releases or entry["reason"]
    for release in (release for group in package.releases.values() for release in group):
        assert release.url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", release.sha256 or "")
        assert set(release.members) == set(package.programs) or (not release.members and len(package.programs) == 1)
    for listed in (release for group in entry.get("releases", {}).values() for release in group):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+ [\w./-]+ @[0-9a-f]{40}", listed["source"])


def test_no_file_is_downloaded_for_two_packages() -> None:
    """Downloads run at the same time and are named by their checksum."""
    releases = [each for package in MANIFEST.packages.values() for group in package.releases.values() for each in group]
    assert len({each.sha256 for each in releases}) == len(releases)


@pytest.mark.parametrize("package", MANIFEST.packages.values(), ids=lambda package: str(package.name))
def test_every_build_recipe_yields_all_programs(package: Package) -> None:
    """Steps and files together make each program, from modules that are here with their checksums."""
    made = [step.program for step in package.steps] + [item.name for item in package.files]
    assert sorted(made) == sorted(package.programs)
    for name in package.modules():
        assert (MANIFEST.modules[name].folder / "go.sum").is_file()


def test_programs_that_share_a_module_have_names_of_their_own_before_they_are_renamed() -> None:
    """With several packages `go build` names each program after its package; the name of the manifest comes later."""
    made: dict[str, list[str]] = {}
    for package in MANIFEST.packages.values():
        for step in package.steps:
            made.setdefault(step.module, []).append(step.package.rpartition("/")[2])
    several = {module: names for module, names in made.items() if len(names) > 1}
    assert {"kubernetes", "prometheus-operator"} <= several.keys()
    assert {module: names for module, names in several.items() if len(set(names)) < len(names)} == {}
