"""The list of pinned addons."""

import json
import re
from pathlib import Path

import pytest

from cluster.addons import load_manifest
from cluster.addons.manifest import FOLDER
from tools import ToolsError

VERSIONS = {
    "cloudnativepg": "1.30.0",
    "barman-cloud": "0.15.0",
    "flagger": "1.44.0",
    "gateway-api": "1.6.1",
    "istio": "1.31.1",
    "prometheus-operator": "0.85.0",
}


def test_every_addon_is_pinned_to_one_version() -> None:
    """These and no others."""
    assert {name: addon.version for name, addon in load_manifest().addons.items()} == VERSIONS


def test_go_modules_are_pinned_to_the_versions_of_the_addons_with_a_checksum() -> None:
    """The file of a module is that of the release."""
    required = dict(re.findall(r"^\t(\S+) v(\S+)$", (FOLDER / "go" / "go.mod").read_text(), re.MULTILINE))
    assert required == {addon.module: addon.version for addon in load_manifest().addons.values()}
    sums = (FOLDER / "go" / "go.sum").read_text().splitlines()
    for module, version in required.items():
        assert [line for line in sums if re.fullmatch(rf"{module} v{version} h1:\S{{43}}=", line)], module


def test_every_file_comes_from_the_tag_of_its_version() -> None:
    """Otherwise the bytes served could change under a pinned version."""
    for addon in load_manifest().addons.values():
        for file in addon.files:
            assert file.url.endswith(f"/v{addon.version}/{file.path}")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("addons", "istio", "colour"), "blue", "addons.istio.colour: Extra inputs are not permitted"),
        (("addons", "istio", "version"), "latest", "addons.istio.version: String should match pattern"),
        (("addons", "istio", "files"), [], "addons.istio.files: Tuple should have at least 1 item"),
        (("addons", "istio", "files", 0, "sha256"), "", "addons.istio.files.0.sha256: String should match pattern"),
        (("addons", "istio", "files", 0, "url"), "http://x/y", "addons.istio.files.0.url: String should match pattern"),
    ],
)
def test_an_unusable_list_is_refused_with_the_place(
    tmp_path: Path, place: tuple[str | int, ...], value: object, message: str
) -> None:
    """Unknown keys, loose versions, missing checksums and plain http are not accepted."""
    document = json.loads((FOLDER / "manifest.json").read_text())
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ToolsError, match=re.escape(message)):
        load_manifest(tmp_path / "manifest.json")


def test_the_checksum_of_an_addon_changes_with_whatever_changes_its_objects() -> None:
    """A cluster is updated when, and only when, something else would be installed."""
    manifest = load_manifest()
    istio = manifest.addons["istio"]
    other_file = istio.files[0].model_copy(update={"sha256": "0" * 64})
    others = [
        manifest.model_copy(update={"revision": manifest.revision + 1}),
        manifest.model_copy(update={"addons": {"istio": istio.model_copy(update={"version": "1.31.2"})}}),
        manifest.model_copy(update={"addons": {"istio": istio.model_copy(update={"files": (other_file,)})}}),
    ]
    digests = {each.digest("istio", webhooks=True) for each in (manifest, load_manifest(), *others)}
    assert len(digests | {manifest.digest("istio", webhooks=False)}) == 5
