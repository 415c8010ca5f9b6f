"""Programs that are built from Go modules, each pinned by a go.mod and a go.sum in this folder."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tools.cache import WorkFolder
from tools.errors import WayFailedError
from tools.go_toolchain import GoToolchain
from tools.manifest import BuildStep, GoModule, Manifest, ModuleFile, Package
from tools.progress import Reporter

# Two at a time: while one build links or waits for the network, the other one uses the idle processor core.
_PARALLEL_BUILDS = 2


@dataclass(frozen=True)
class _Built:
    """One built module: the copy of its folder, and the folder of its programs."""

    source: Path
    programs: Path


@dataclass(frozen=True)
class GoBuilder:
    """Owns the builds of one run; all of them share Go's own module cache and one build cache."""

    manifest: Manifest
    workspace: WorkFolder
    reporter: Reporter
    build_cache: Path

    def build(self, packages: Sequence[Package]) -> Iterator[tuple[Package, Path | WayFailedError]]:
        """Build packages, with one `go build` for each module, and yield each package as soon as it is complete.

        Yields:
            The package, and either its folder in the workspace or the reason why there is none.
        """
        buildable = [package for package in packages if package.modules()]
        for package in packages:
            if not package.modules():
                yield package, WayFailedError("there is no recipe for a build")
        if not buildable:
            return
        try:
            toolchain = GoToolchain.locate([self.workspace.descriptor], self.build_cache)
        except WayFailedError as error:
            yield from ((package, error) for package in buildable)
            return
        yield from self._build_modules(toolchain, buildable)

    def _build_modules(
        self, toolchain: GoToolchain, packages: Sequence[Package]
    ) -> Iterator[tuple[Package, Path | WayFailedError]]:
        wanted = [
            module
            for name, module in self.manifest.modules.items()
            if any(name in package.modules() for package in packages)
        ]
        with ThreadPoolExecutor(_PARALLEL_BUILDS) as pool:
            futures = {pool.submit(self._build_module, toolchain, module, packages): module.name for module in wanted}
            waiting = list(packages)
            done: dict[str, _Built | WayFailedError] = {}
            try:
                for future in as_completed(futures):
                    done[futures[future]] = _outcome(future)
                    for package in [item for item in waiting if done.keys() >= set(item.modules())]:
                        waiting.remove(package)
                        yield package, self._assemble(toolchain, package, done)
            finally:
                # After an interrupt no further build may start.
                pool.shutdown(cancel_futures=True)

    def _build_module(self, toolchain: GoToolchain, module: GoModule, packages: Sequence[Package]) -> _Built:
        toolchain.require(module)
        steps = [step for package in packages for step in package.steps if step.module == module.name]
        source = self.workspace.new_folder(module.name)
        shutil.copytree(module.folder, source, dirs_exist_ok=True)
        programs = source / "programs"
        programs.mkdir()
        names = [step.program for step in steps]
        what = f"{', '.join(names) or module.name}: building with Go {toolchain.version}"
        with self.reporter.activity(what, provides=names):
            for item in module.inputs:
                # Where another module pins the version, the own go.mod may already point to the copy.
                pins = source if item.module == module.name else self.manifest.modules[item.module].folder
                _copy_module_file(toolchain, item, pins, source)
            if steps:
                _compile(toolchain, source, programs, module, steps)
        return _Built(source, programs)

    def _assemble(
        self, toolchain: GoToolchain, package: Package, done: Mapping[str, _Built | WayFailedError]
    ) -> Path | WayFailedError:
        built: dict[str, _Built] = {}
        for name in package.modules():
            result = done[name]
            if isinstance(result, WayFailedError):
                return result
            built[name] = result
        staged = self.workspace.new_folder(package.name)
        try:
            for step in package.steps:
                (built[step.module].programs / step.program).rename(staged / step.program)
            for item in package.files:
                _copy_module_file(toolchain, item, built[item.module].source, staged)
        except (OSError, WayFailedError) as error:
            return WayFailedError(f"the build is incomplete: {error}")
        return staged


def _outcome(future: Future[_Built]) -> _Built | WayFailedError:
    try:
        return future.result()
    except WayFailedError as error:
        return error
    except OSError as error:
        return WayFailedError(f"the build could not be prepared: {error}")


def _compile(
    toolchain: GoToolchain, source: Path, programs: Path, module: GoModule, steps: Sequence[BuildStep]
) -> None:
    # With one program the file is named here; with several, Go names each after its package.
    target = f"{programs}/{steps[0].program if len(steps) == 1 else ''}"
    # -s -w drop the debugging information in any case; not making it at all saves a tenth of a cold build.
    options = [
        "-trimpath",
        "-buildvcs=false",
        "-gcflags=all=-dwarf=false",
        "-ldflags",
        f"-s -w {module.ldflags}".strip(),
    ]
    toolchain.ask(["build", *options, "-o", target, *(step.package for step in steps)], source, module.experiments)
    for step in steps:
        # Go names a program after the last part of its package, which is often just `operator` or `manager`.
        made = programs / step.package.rpartition("/")[2]
        if len(steps) > 1 and made.name != step.program:
            made.rename(programs / step.program)


def _copy_module_file(toolchain: GoToolchain, item: ModuleFile, pins: Path, target: Path) -> None:
    original = toolchain.module_folder(item.source_module, pins) / item.source_file
    copy = target / item.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    if original.is_dir():
        copy.mkdir(exist_ok=True)
        for file in filter(Path.is_file, original.iterdir()):
            shutil.copyfile(file, copy / file.name)
    elif item.values:
        document = json.loads(original.read_text("utf-8"))
        copy.write_text(json.dumps({**document, **item.values}), "utf-8")
    elif item.edits:
        copy.write_text(_edited(original, item.edits), "utf-8")
    else:
        shutil.copyfile(original, copy)


def _edited(original: Path, edits: Sequence[tuple[str, str]]) -> str:
    text = original.read_text("utf-8")
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not count:
            raise WayFailedError(f"{original} has nothing that matches {pattern!r}")
    return text
