"""A real OpenStack control plane on this machine, for trying and testing; see docs/lab.md.

It needs only the standard library: Keystone and Nova have their own environment.
"""

from lab.errors import AnswerError, LabError, UnreachableError
from lab.lab import Lab, Mark, Served

__all__ = ["AnswerError", "Lab", "LabError", "Mark", "Served", "UnreachableError"]
