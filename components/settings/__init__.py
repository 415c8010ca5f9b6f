"""Settings of a stack file: closed pydantic models, the only place where defaults live.

Every field carries a description, a unit where it has one, and a class (see `base.FieldClass`) that `altlas diff`
and the transition between phases read. Secrets are never fields here: they are separate `secure:` keys.
"""

from components.settings.base import FieldClass, Settings
from components.settings.platform import PlatformSettings
from components.settings.services import ServiceSettings

__all__ = ["FieldClass", "PlatformSettings", "ServiceSettings", "Settings"]
