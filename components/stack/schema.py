"""The JSON Schema of a stack file, generated from the models so that editors complete and check it."""

from typing import Any

from components.settings.platform import PlatformSettings
from components.settings.secrets import NOTES, SECRETS
from components.stack.problems import PLATFORM_KEY, PROJECT

_SECURE = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}


def stack_file_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `Pulumi.<stack>.yaml`."""
    platform = PlatformSettings.model_json_schema(by_alias=True)
    definitions = platform.pop("$defs")
    secrets = {f"{PROJECT}:{secret.key}": _SECURE | {"description": secret.description} for secret in SECRETS}
    notes = {
        f"{PROJECT}:{key}": {"type": "string", "description": "Written by `altlas secrets rotate`."} for key in NOTES
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ALT_LAS stack file",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "required": [PLATFORM_KEY],
                "properties": {PLATFORM_KEY: platform} | secrets | notes,
                "patternProperties": {f"^(?!{PROJECT}:)": True},
                "additionalProperties": False,
            },
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi when the stack is created."},
            "secretsprovider": {"type": "string", "description": "Pulumi's secrets provider."},
            "encryptedkey": {"type": "string", "description": "Written by Pulumi's secrets provider."},
        },
        "additionalProperties": False,
        "$defs": definitions,
    }
