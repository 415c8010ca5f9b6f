"""Kubernetes quantities of CPU and memory, read into whole millicores and Mi so that they can be compared."""

import re
from fractions import Fraction

_CPU = re.compile(r"([0-9]+)(m)?|([0-9]+\.[0-9]{1,3})")
_MEMORY = re.compile(r"([0-9]+)(Ki|Mi|Gi|Ti)")
_MEBIBYTES = {"Ki": Fraction(1, 1024), "Mi": Fraction(1), "Gi": Fraction(1024), "Ti": Fraction(1024 * 1024)}
MILLICORES_PER_CORE = 1000
MEBIBYTES_PER_GIBIBYTE = 1024


def millicores(text: str) -> int:
    """Read a CPU quantity such as `500m`, `2` or `0.5` into millicores.

    Raises:
        ValueError: The text is not a CPU quantity above zero.
    """
    match = _CPU.fullmatch(text)
    value = 0
    if match:
        value = int(match[1]) if match[2] else int(Fraction(match[1] or match[3]) * MILLICORES_PER_CORE)
    if value <= 0:
        raise ValueError("is not a CPU quantity; write millicores such as '500m' or cores such as '2'")
    return value


def mebibytes(text: str) -> Fraction:
    """Read a memory quantity such as `128Mi` or `1Gi` into Mi (1024 * 1024 bytes).

    Raises:
        ValueError: The text is not a memory quantity above zero.
    """
    match = _MEMORY.fullmatch(text)
    value = Fraction(int(match[1])) * _MEBIBYTES[match[2]] if match else Fraction(0)
    if value <= 0:
        raise ValueError("is not a memory quantity; write a whole number with its unit, such as '128Mi' or '1Gi'")
    return value


def cpu_text(amount: int) -> str:
    """Millicores as the API server writes them: `1500m`, `2`."""
    cores, rest = divmod(amount, MILLICORES_PER_CORE)
    return f"{amount}m" if rest else str(cores)


def memory_text(amount: int) -> str:
    """Mi as the API server writes them: `1536Mi`, `2Gi`; never Ti, so that a change is read at a glance."""
    gibibytes, rest = divmod(amount, MEBIBYTES_PER_GIBIBYTE)
    return f"{amount}Mi" if rest else f"{gibibytes}Gi"
