"""Every error that a person can meet, as one tree.

    StudioError
    ├── InvalidRequest   the request itself is wrong; nothing was loaded
    ├── NotFound         no such task, model, job or artifact (or it is not yours)
    ├── Refused          understood, and not allowed here
    ├── Unavailable      a model, device, disk or service is missing for now
    ├── OutOfMemory      no placement of this model fits this machine
    ├── Cancelled        somebody stopped the job
    ├── SealFailed       the output could not be marked and signed, so it was withheld
    └── Broken           unforeseen; the log holds the traceback under the incident number

Messages say what happened; hints say what to do next. Front ends show both and never a traceback.
"""

from __future__ import annotations

import secrets
from typing import ClassVar

# Not typing's own: pydantic validates these, and below Python 3.12 it can do that only with this.
from typing_extensions import TypedDict


class ErrorRecord(TypedDict):
    """How an error travels in JSON: over HTTP, through the worker's pipe and in the job store."""

    error: str
    message: str
    hint: str
    retry: bool


class StudioError(Exception):
    """The studio could not do what was asked."""

    #: Exit status of the command line when this error ends a command.
    exit_code: ClassVar[int] = 1
    #: Status of the HTTP response that carries this error.
    http_status: ClassVar[int] = 500
    #: What to do next, when the error itself knows no better.
    default_hint: ClassVar[str] = ""

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, retry: bool = False
    ) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.hint = self.default_hint if hint is None else hint
        #: Whether the same request may succeed if it is simply sent again later.
        self.retry = retry
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def record(self) -> ErrorRecord:
        """The error as plain JSON."""
        return ErrorRecord(
            error=type(self).__name__, message=self.message, hint=self.hint, retry=self.retry
        )

    @staticmethod
    def from_record(record: ErrorRecord) -> StudioError:
        """The error that `record` describes; an unknown name becomes `Broken`."""
        kind = {cls.__name__: cls for cls in StudioError.__subclasses__()}.get(
            record["error"], Broken
        )
        error = kind.__new__(kind)
        StudioError.__init__(error, record["message"], hint=record["hint"], retry=record["retry"])
        return error


class InvalidRequest(StudioError):
    """The request is not one this task can carry out."""

    exit_code = 64
    http_status = 422


class NotFound(StudioError):
    """There is nothing here by that name, or it belongs to somebody else."""

    exit_code = 66
    http_status = 404


class Refused(StudioError):
    """This studio does not allow that."""

    exit_code = 77
    http_status = 403


class Unavailable(StudioError):
    """Something the job needs is not here at the moment."""

    exit_code = 69
    http_status = 503


class OutOfMemory(StudioError):
    """The model does not fit on this machine in any placement."""

    exit_code = 71
    http_status = 507


class Cancelled(StudioError):
    """The job was stopped."""

    exit_code = 130
    http_status = 409


class SealFailed(StudioError):
    """The output could not be marked and signed, so it was withheld."""

    exit_code = 74
    http_status = 500
    default_hint = "Run `studio doctor`; it checks the signing key and the disk."


class Broken(StudioError):
    """Something unforeseen happened."""

    exit_code = 70
    http_status = 500

    def __init__(self, message: str | None = None, *, incident: str | None = None) -> None:
        self.incident = incident or secrets.token_hex(4)
        super().__init__(
            message,
            hint=f"The log holds the details under incident {self.incident}.",
            retry=True,
        )
