"""Loki and Alloy: under the AGPL or compiled from it, so never built here, only run where they are installed."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import BaseModel

from components.settings.alloy import AlloySettings
from components.settings.image import ImageSettings
from components.settings.loki import LokiSettings
from tools.path_lookup import reported_version

MUST_RUN = "ALT_LAS_TESTS_MUST_RUN"
"""Environment variable: programs, separated by commas, without which tests fail instead of being skipped."""

_DEPLOYED: dict[str, type[BaseModel]] = {"loki": LokiSettings, "alloy": AlloySettings}
_QUESTIONS = {"loki": ("-version",), "alloy": ("--version",)}
_IN_THE_IMAGE = {"loki": "/usr/bin/loki", "alloy": "/bin/alloy"}
OFFICIAL = frozenset(_DEPLOYED)
"""Programs that come from their official images."""


def image_of(name: str) -> ImageSettings:
    """Image of a program that the settings deploy by default."""
    image: ImageSettings = (
        _DEPLOYED[name].model_fields["image"].get_default(call_default_factory=True, validated_data={})
    )
    return image


def official(name: str) -> Path:
    """Path of an installed program at the version whose image the platform deploys; skips the test otherwise."""
    image: ImageSettings = (
        _DEPLOYED[name].model_fields["image"].get_default(call_default_factory=True, validated_data={})
    )
    version = image.tag.removeprefix("v")
    found = shutil.which(name)
    if found is None:
        _not_proven(name, f"{name} {version} is not on PATH")
    installed = reported_version(Path(found), _QUESTIONS[name])
    if installed != version:
        _not_proven(name, f"{name} on PATH has version {installed or 'unknown'}, not {version}")
    return Path(found)


def _not_proven(name: str, reason: str) -> NoReturn:
    if name in os.environ.get(MUST_RUN, "").split(","):
        pytest.fail(f"{reason}, and {MUST_RUN} asks for it")
    pytest.skip(f"not proven here: {reason}; this project deploys its official image and does not build it")


if __name__ == "__main__":
    # For the workflow: name, image, and where the program lies in it.
    for each in sorted(OFFICIAL):
        print(each, f"{image_of(each).repository}:{image_of(each).tag}", _IN_THE_IMAGE[each])
