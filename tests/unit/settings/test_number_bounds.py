"""Numbers of the settings fit the 32-bit fields of Kubernetes objects, or have a bound of their own."""

import pytest

from components.settings.base import LARGEST_NUMBER, Settings, setting
from components.stack.problems import SettingsError
from tests.support.documents import alpha_settings


class Bounded(Settings):
    """Two numbers."""

    free: int = setting("capacity", "Without a bound.", 1)
    large: int = setting("capacity", "With its own.", 1, le=2**40)


@pytest.mark.parametrize("path", ["autoscaling.scaleUp.percent", "autoscaling.scaleDown.pods"])
def test_a_number_that_the_api_server_would_cut_off_is_refused_by_its_path(path: str) -> None:
    """2 to the power of 32 became 0 there, and 7 more became 7."""
    alpha_settings({path: LARGEST_NUMBER})
    with pytest.raises(SettingsError, match=f"{path}.*is above 2147483647"):
        alpha_settings({path: LARGEST_NUMBER + 1})


def test_a_bound_of_a_setting_itself_wins() -> None:
    """Such as that of bytes."""
    assert Bounded(large=2**40).large == 2**40
    assert Bounded(free=LARGEST_NUMBER).free == LARGEST_NUMBER
    with pytest.raises(ValueError, match="is above 2147483647"):
        Bounded(free=LARGEST_NUMBER + 1)
