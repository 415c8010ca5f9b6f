"""Exceptions of this package."""

from __future__ import annotations


class ClusterError(Exception):
    """A cluster could not be reached, started, stopped or chosen.

    The message states the cause and the cure and is meant to be printed as it is, without a traceback.
    """


class ClusterRequestError(ClusterError):
    """The caller's request is wrong (a target, a port, a number of nodes, a folder); nothing was tried."""


class MissingProgramError(ClusterError):
    """A program that a cluster needs is not on this machine."""
