"""Kubernetes quantities of any resource, read into exact numbers in the resource's base unit (cores, bytes)."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?\d+))?")
_BINARY = {unit: Fraction(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    unit: Fraction(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}


def amount(quantity: object) -> Fraction:
    """Read a quantity such as `500m`, `1.5`, `128Mi` or `1e3`.

    Raises:
        ValueError: The text is not a quantity.
    """
    match = _QUANTITY.fullmatch(str(quantity))
    if not match:
        raise ValueError(f"{quantity!r} is not a quantity")
    number, unit, exponent = match.groups()
    factor = Fraction(10) ** int(exponent) if exponent else (_BINARY | _DECIMAL)[unit or ""]
    return Fraction(number) * factor
