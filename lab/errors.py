"""What can go wrong in the lab."""


class LabError(Exception):
    """The lab cannot do what was asked; the message is one line for people."""


class UnreachableError(LabError):
    """A service of the lab gave no answer."""


class AnswerError(LabError):
    """A service of the lab refused a request.

    Attributes:
        status: the HTTP status it answered.
    """

    def __init__(self, message: str, *, status: int) -> None:
        """Keep the status with the message."""
        super().__init__(message)
        self.status = status
