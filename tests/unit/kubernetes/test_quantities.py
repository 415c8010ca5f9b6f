"""Quantities of CPU and memory."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kubernetes.quantities import mebibytes, millicores

UNITS = {"Ki": Fraction(1, 1024), "Mi": Fraction(1), "Gi": Fraction(1024), "Ti": Fraction(1024**2)}
QUANTITY_TEXT = st.from_regex(r"\d{0,3}\.?\d{0,4}(m|Ki|Mi|Gi|Ti)?", fullmatch=True) | st.text(max_size=6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1m", 1), ("100m", 100), ("1", 1000), ("2", 2000), ("0.5", 500), ("1.25", 1250), ("0.001", 1), ("1000m", 1000)],
)
def test_cpu_is_read_into_millicores(text: str, expected: int) -> None:
    """Millicores and cores are the same thing in two units."""
    assert millicores(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "0.0", "-1", "1.5m", "0.0005", ".5", "1.", "1k", "1 m", "500M", "1e3", "٣", "1\n"]
)
def test_what_is_no_cpu_quantity_is_refused_with_the_cure(text: str) -> None:
    """Nothing, less than nothing, finer than a millicore, foreign units and foreign digits."""
    with pytest.raises(
        ValueError, match=r"^is not a CPU quantity; write millicores such as '500m' or cores such as '2'$"
    ):
        millicores(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("128Mi", 128), ("1Gi", 1024), ("2Ti", 2 * 1024**2), ("1Ki", Fraction(1, 1024)), ("1536Ki", Fraction(3, 2))],
)
def test_memory_is_read_into_mebibytes(text: str, expected: Fraction) -> None:
    """All binary units are one unit."""
    assert mebibytes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0Mi", "128", "128M", "1G", "128mi", "1.5Gi", "-1Mi", "1 Gi", "128m", "٣Mi", "1Gi\n"]
)
def test_what_is_no_memory_quantity_is_refused_with_the_cure(text: str) -> None:
    """Above all a number without a unit, which Kubernetes takes for bytes, and `m`, which it takes for 1/1000 byte."""
    with pytest.raises(
        ValueError, match=r"^is not a memory quantity; write a whole number with its unit, such as '128Mi' or '1Gi'$"
    ):
        mebibytes(text)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_cpu_quantities_compare_as_their_numbers_do(one: int, other: int) -> None:
    """Cores above zero are a thousand millicores each, whatever they are compared with."""
    assert (millicores(f"{one}m") > millicores(str(other))) is (one > other * 1000)


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)), st.integers(1, 10**6), st.sampled_from(sorted(UNITS)))
def test_memory_quantities_compare_across_units(one: int, unit: str, other: int, other_unit: str) -> None:
    """No unit is rounded away: 1023Ki is below 1Mi."""
    expected = one * UNITS[unit] < other * UNITS[other_unit]
    assert (mebibytes(f"{one}{unit}") < mebibytes(f"{other}{other_unit}")) is expected


@given(QUANTITY_TEXT)
def test_any_text_is_read_above_zero_or_refused(text: str) -> None:
    """There is no third way, such as another exception or a quantity of nothing."""
    for read in (millicores, mebibytes):
        try:
            assert read(text) > 0
        except ValueError as error:
            assert str(error).startswith("is not a")  # noqa: PT017  # both ways are right
