"""The manifest: which programs are pinned, at which versions, and where each can come from."""

import hashlib
import json
import platform as host
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tools.errors import ToolsError

DEFAULT_MANIFEST = Path(__file__).with_name("manifest.json")

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def current_platform() -> str:
    """Return this machine's platform as release pages name it, for example `linux/amd64`."""
    machine = host.machine().lower()
    return f"{host.system().lower()}/{_ARCHITECTURES.get(machine, machine)}"


@dataclass(frozen=True)
class Release:
    """One official download for one platform.

    Attributes:
        url: where the publisher serves it.
        sha256: checksum of the downloaded file, in hexadecimal; None when no trusted source is known to us.
        members: path inside the archive for each program; empty when the file is the program itself.
    """

    url: str
    sha256: str | None = None
    members: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Self:
        """Read one entry of the manifest."""
        return cls(entry["url"], entry.get("sha256"), entry.get("members", {}))


@dataclass(frozen=True)
class ModuleFile:
    """A file that is taken out of a Go module's folder.

    Attributes:
        source_module: path of the Go module that ships the file.
        source_file: path inside that module; a folder stands for the files that lie directly in it.
        name: name of the copy.
        values: top-level values that are set in the copy, which is then a JSON document.
        edits: regular expressions with their replacements, applied line by line; each must match somewhere.
        module: our module whose go.mod pins the source module's version.
    """

    source_module: str
    source_file: str
    name: str
    module: str
    values: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, entry: Mapping[str, Any], module: str) -> Self:
        """Read one entry of the manifest; `module` holds where the entry names none."""
        return cls(
            entry["source_module"],
            entry["source_file"],
            entry["name"],
            entry.get("module", module),
            entry.get("set", {}),
            tuple((pattern, replacement) for pattern, replacement in entry.get("edits", ())),
        )


@dataclass(frozen=True)
class BuildStep:
    """One program that `go build` makes: from which of our modules, and from which Go package."""

    module: str
    package: str
    program: str


@dataclass(frozen=True)
class GoModule:
    """One of our own Go modules: its go.mod and go.sum pin everything that is compiled.

    Attributes:
        folder: holds go.mod and go.sum, and main.go where the upstream module has no buildable one.
        ldflags: linker flags beside those that every build gets.
        experiments: experiments of the Go toolchain that its source needs, such as `jsonv2`.
        inputs: files that must lie in the module's folder before the build.
    """

    name: str
    folder: Path
    ldflags: str
    inputs: tuple[ModuleFile, ...]
    experiments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, Any], folder: Path) -> Self:
        """Read one entry of the manifest."""
        inputs = tuple(ModuleFile.parse(item, name) for item in entry.get("inputs", ()))
        return cls(name, folder, entry.get("ldflags", ""), inputs, tuple(entry.get("experiments", ())))

    def go_version(self) -> str:
        """Return the oldest Go version that may build this module, as its go.mod says."""
        for line in (self.folder / "go.mod").read_text("utf-8").splitlines():
            if line.startswith("go "):
                return line.split()[1]
        raise ToolsError(f"{self.folder / 'go.mod'} names no Go version")


@dataclass(frozen=True)
class Package:
    """One unit that is found, downloaded or built as a whole, and lies in one folder.

    Attributes:
        name: also the name of its first program.
        version: the pinned version, without a leading `v`.
        programs: the executables; they must lie side by side.
        version_arguments: how the first program is asked for its version; empty when it cannot be asked.
        pulumi_plugin: `KIND-NAME` when Pulumi loads it as a plugin; it must then stay off PATH.
        releases: official downloads by platform, in the order in which they are tried.
        steps: programs that are compiled.
        files: programs that are copied out of a Go module.
        on_demand: True if it is only provided where it is named, because few need it and its build takes long.
    """

    name: str
    version: str
    programs: tuple[str, ...]
    version_arguments: tuple[str, ...]
    pulumi_plugin: str | None
    releases: Mapping[str, tuple[Release, ...]]
    steps: tuple[BuildStep, ...]
    files: tuple[ModuleFile, ...]
    on_demand: bool = False

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, Any]) -> Self:
        """Read one entry of the manifest."""
        build = entry.get("build", {})
        return cls(
            name=name,
            version=entry["version"],
            programs=tuple(entry.get("programs", [name])),
            version_arguments=tuple(entry.get("version_arguments", ())),
            pulumi_plugin=entry.get("pulumi_plugin"),
            releases={key: tuple(map(Release.parse, value)) for key, value in entry.get("releases", {}).items()},
            steps=tuple(BuildStep(**step) for step in build.get("steps", ())),
            files=tuple(ModuleFile.parse(item, "") for item in build.get("files", ())),
            on_demand=entry.get("on_demand", False),
        )

    @property
    def title(self) -> str:
        """Name and version, as the user reads them."""
        return f"{self.name} {self.version}"

    def made(self) -> tuple[str, ...]:
        """Return the programs that a build compiles; all of them where there is no recipe for a build."""
        return tuple(step.program for step in self.steps) or self.programs

    def modules(self) -> tuple[str, ...]:
        """Return the names of our modules that this package is built from, without repetition."""
        return tuple(dict.fromkeys([step.module for step in self.steps] + [item.module for item in self.files]))


@dataclass(frozen=True)
class Manifest:
    """Every pinned package and every Go module, and the file they were read from."""

    path: Path
    packages: Mapping[str, Package]
    modules: Mapping[str, GoModule]
    document: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path = DEFAULT_MANIFEST) -> Self:
        """Read a manifest; the Go modules lie in `go/NAME` beside it.

        Raises:
            ToolsError: the file is missing, is not JSON, or lacks a required entry.
        """
        try:
            document = json.loads(path.read_text("utf-8"))
            packages = {name: Package.parse(name, entry) for name, entry in document["packages"].items()}
            modules = {
                name: GoModule.parse(name, entry, path.parent / "go" / name)
                for name, entry in document.get("modules", {}).items()
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolsError(f"cannot read the manifest {path}: {error!r}") from error
        return cls(path, packages, modules, document)

    def programs(self) -> tuple[str, ...]:
        """Return the name of every program of every package."""
        return tuple(program for package in self.packages.values() for program in package.programs)

    def usual_programs(self) -> tuple[str, ...]:
        """Return the programs that are provided where none is named: all but those on demand."""
        return tuple(name for package in self.packages.values() if not package.on_demand for name in package.programs)

    def package_of(self, program: str) -> Package:
        """Return the package that a program belongs to.

        Raises:
            ToolsError: no package has such a program.
        """
        for package in self.packages.values():
            if program in package.programs:
                return package
        raise ToolsError(f"unknown program {program!r}; known are: {', '.join(self.programs())}")

    def packages_of(self, programs: Sequence[str]) -> tuple[Package, ...]:
        """Return the packages of several programs, each once, in the order of the manifest."""
        wanted = {self.package_of(program).name for program in programs}
        return tuple(package for package in self.packages.values() if package.name in wanted)

    def key(self, package: Package, platform: str) -> str:
        """Return the name of a package's cache folder: it changes with everything that goes into the package."""
        entry = dict(self.document["packages"][package.name])
        for about in ("reason", "on_demand"):
            entry.pop(about, None)
        entry["releases"] = entry.get("releases", {}).get(platform)
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode())
        for name in self._pinning(package):
            module = self.modules[name]
            digest.update(json.dumps(self.document["modules"][name], sort_keys=True).encode())
            for file in sorted(path for path in module.folder.rglob("*") if path.is_file()):
                digest.update(file.relative_to(module.folder).as_posix().encode() + b"\0" + file.read_bytes())
        return f"{package.name}@{package.version}@{platform.replace('/', '-')}@{digest.hexdigest()[:12]}"

    def _pinning(self, package: Package) -> tuple[str, ...]:
        """Return the names of our modules that a package is built from, then of those that pin their inputs."""
        names = package.modules()
        inputs = [item.module for name in names for item in self.modules[name].inputs]
        return tuple(dict.fromkeys([*names, *inputs]))
