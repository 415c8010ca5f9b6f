"""Headless Chromium, spoken to through two pipes: what a page asks for, what it says, and how it looks."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


@dataclass
class Opened:
    """A page that was opened.

    Attributes:
        requests: Addresses that were asked for, the page's own included.
        complaints: Messages of console and log, and exceptions.
        roles: Roles and names of its accessibility tree, in order.
    """

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    roles: list[tuple[str, str]] = field(default_factory=list)


def chromium() -> str:
    """Path of the browser; skips the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"not proven here: none of {', '.join(NAMES)} is on PATH (Debian: chromium-headless-shell)")
    return found


class Browser:
    """One tab of a browser.

    Args:
        process: The browser.
        out: Pipe to it.
        into: Pipe from it.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", out: int, into: int) -> None:
        self._process, self._out, self._into = process, out, into
        self._rest, self._number = b"", 0
        self._events: list[dict[str, Any]] = []
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Result of a method of the DevTools protocol."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def open(self, path: Path, **media: str) -> Opened:
        """Open a file; `media` names features such as `prefers_color_scheme`."""
        self._events.clear()
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self._events):
            self._events.append(self._read())
        tree = self.call("Accessibility.getFullAXTree")["nodes"]
        said = [each["params"] for each in self._events]
        return Opened(
            [each["request"]["url"] for each in said if "request" in each],
            [json.dumps(each) for each in said if {"entry", "exceptionDetails", "args"} & each.keys()],
            [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]],
        )

    def picture(self, path: Path, width: int, height: int, top: int = 0) -> None:
        """Write a part of the page as PNG."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        taken = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def value(self, expression: str) -> Any:
        """Value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._into, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile, which ends with the block."""
    to_it, out = os.pipe()
    into, from_it = os.pipe()
    command = f'exec "$0" "$@" 3<&{to_it} 4>&{from_it}'
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder}")
    with subprocess.Popen(
        ["bash", "-c", command, chromium(), *options], pass_fds=(to_it, from_it), stderr=subprocess.DEVNULL
    ) as process:
        os.close(to_it)
        os.close(from_it)
        try:
            yield Browser(process, out, into)
        finally:
            process.kill()
            os.close(out)
            os.close(into)
