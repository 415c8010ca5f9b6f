"""Common settings of the stores of a stack."""

from typing import Annotated

from pydantic import AfterValidator


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError(
            f"is {number}; use 1 or 3: an even number of servers tolerates no more failures than one server fewer"
        )
    return number


Voters = Annotated[int, AfterValidator(_odd)]
"""Number of servers that elect a leader among them; refused when it is even."""
