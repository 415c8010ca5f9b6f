"""Check that the deployed admission policy allows the images of the next update.

The policy holds the repositories of the last update until the next one ends, and it also validates the preview. So a
repository is allowed in one update and used in the next.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.settings import PlatformSettings
from components.stack.problems import PLATFORM_KEY, Problem, SettingsError

_POLICY = ":ValidatingAdmissionPolicy"
_RULE = "known-repository:"
_PATTERN = re.compile(r"image\.matches\(r'(.+?)'\)")


def check_repositories(state: Mapping[str, Any], stack: str, platform: PlatformSettings) -> None:
    """Check that the stack's deployed policy allows all images of the settings.

    Args:
        state: What `Engine.exported_state` returned.
        stack: Name of the stack, for the cure.
        platform: The settings of the next update.

    Raises:
        SettingsError: Repositories are not allowed; names them. Nothing was changed.
    """
    for pattern in _allowed(state):
        unknown = sorted({image.repository for _, image in platform.images() if not pattern.search(image.reference)})
        if unknown:
            both = ", ".join((*platform.admission.additional_repositories, *unknown))
            message = (
                f"lacks {', '.join(unknown)} in the deployed stack, and its policy validates images until this "
                f"update has ended; undo the change, write [{both}] here, run `altlas up --stack {stack}`, and "
                "only then make the change"
            )
            raise SettingsError((Problem(f"{PLATFORM_KEY}.admission.additionalRepositories", message),))


def _allowed(state: Mapping[str, Any]) -> Iterator[re.Pattern[str]]:
    for resource in state.get("deployment", {}).get("resources") or ():
        if resource["type"].endswith(_POLICY):
            for rule in resource["inputs"]["spec"]["validations"]:
                found = _PATTERN.search(rule["expression"])
                if found and rule["message"].startswith(_RULE):
                    yield re.compile(found[1])
