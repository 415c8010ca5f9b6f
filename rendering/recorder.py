"""The Pulumi program without an engine or a cluster: runs it and records its registrations."""

import asyncio
import json
import runpy
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.runtime import config as pulumi_config
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks, test

from components.settings import PlatformSettings
from components.settings.alertmanager import MAIL_SECRET, WEBHOOK_SECRET
from components.settings.secret_forms import placeholder
from components.settings.secrets import SECRETS
from components.stack.problems import PLATFORM_KEY, PROJECT
from rendering.root import ROOT

WRAPPED = "4dabf18193072939515e22adb298388d"
"""Key by which the engine marks a wrapped value, such as a secret, on the wire and in the state."""

_BUILT_IMAGE = "docker:index/remoteImage:RemoteImage"
_PUSHED_IMAGE = "docker:index/registryImage:RegistryImage"
_REGISTRY_LOOKUP = "docker:index/getRegistryImage:getRegistryImage"


@dataclass(frozen=True)
class Registration:
    """One resource as the program registers it.

    Attributes:
        type: Pulumi's type token.
        name: Logical name.
        inputs: Inputs as the engine would get them; for a Kubernetes object this is its manifest.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]


class Recorder(Mocks):
    """Mock of the engine: records every registration and returns its inputs as outputs."""

    def __init__(self) -> None:
        self.registrations: list[Registration] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Record a resource. An object without a name gets its logical name, where Pulumi would generate one."""
        inputs = _plain(args.inputs)
        if args.typ.startswith("kubernetes:"):
            inputs["metadata"] = {"name": args.name} | dict(inputs.get("metadata", {}))
        self.registrations.append(Registration(args.typ, args.name, inputs))
        return f"{args.name}-id", inputs | _known_after_apply(args.typ, inputs)

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Return a placeholder instead of a lookup in the registry.

        Raises:
            NotImplementedError: The program calls something else.
        """
        if args.token == _REGISTRY_LOOKUP:
            return _digest_of(args.args), []
        raise NotImplementedError(f"the program calls {args.token}, which no recording answers")

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The Kubernetes objects among the registrations, as manifests."""
        return [dict(r.inputs) for r in self.registrations if r.type.startswith("kubernetes:")]


def record(
    stack: str, platform: PlatformSettings | object, secrets: Mapping[str, str] | None = None, root: Path = ROOT
) -> Recorder:
    """Run `__main__.py` for a stack and record its registrations.

    Args:
        stack: Name of the stack.
        platform: Settings, or the value of `alt-las:platform` in a stack file.
        secrets: Secret values by configuration key; a placeholder for each that a stack may need when left out.
        root: Folder of the program.

    Raises:
        pulumi.RunError: The configuration is not usable.
    """
    if secrets is None:
        keys = [secret.key for secret in SECRETS if secret.required or secret.needed_by]
        secrets = {key: placeholder(key) for key in (*keys, WEBHOOK_SECRET, MAIL_SECRET)}
    recorder = Recorder()
    document = platform.model_dump(mode="json", by_alias=True) if isinstance(platform, PlatformSettings) else platform
    configuration = {PLATFORM_KEY: json.dumps(document)} | {f"{PROJECT}:{key}": text for key, text in secrets.items()}
    secret_keys = [f"{PROJECT}:{key}" for key in secrets]

    def run() -> None:
        pulumi_config.set_all_config(configuration, secret_keys)
        # Every run starts with an empty stack of its own.
        set_mocks(recorder, project=PROJECT, stack=stack, preview=False)
        to_its_end: Callable[[Callable[[], None]], Callable[[], None]] = test
        to_its_end(lambda: run_program(root))()

    _in_own_thread(run)
    return recorder


def run_program(root: Path) -> None:
    """Run the program in this process, the way the language host does."""
    runpy.run_path(str(root / "__main__.py"))


def _in_own_thread(job: Callable[[], None]) -> None:
    """Run a function of the Pulumi SDK in a thread with an event loop of its own, so that no global state is left.

    The SDK records the call stack of each resource, which is short there; one executor thread keeps the order of the
    mock's answers.
    """

    def in_thread() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(ThreadPoolExecutor(1))
            job()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(in_thread).result()


def _known_after_apply(token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Placeholders for outputs that only a Docker engine or a registry knows."""
    if token == _PUSHED_IMAGE:
        return _digest_of(inputs)
    return {"imageId": f"<image {inputs['name']}>"} if token == _BUILT_IMAGE else {}


def _digest_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": inputs["name"], "sha256Digest": f"<digest of {inputs['name']}>"}


def _plain(value: Any) -> Any:  # Any: the tree of a manifest
    """Undo the encoding of values on the wire: whole numbers as floats, wrapped secrets."""
    if isinstance(value, dict):
        if WRAPPED in value:
            return _plain(value["value"])
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
