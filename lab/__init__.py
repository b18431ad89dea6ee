"""A real OpenStack control plane on this machine, for trying and testing; see docs/lab.md.

The standard library is all it needs: Keystone and Nova live in an environment of their own.
"""

from lab.errors import AnswerError, LabError, UnreachableError
from lab.lab import Lab, Mark, Served

__all__ = ["AnswerError", "Lab", "LabError", "Mark", "Served", "UnreachableError"]
