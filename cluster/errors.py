"""Exceptions of this package."""

from __future__ import annotations


class ClusterError(Exception):
    """A cluster could not be reached, started, stopped or chosen.

    The message states the cause and the cure and is meant to be printed as it is, without a traceback.
    """


class TargetError(ClusterError):
    """No cluster could be chosen, because what names one is wrong."""
