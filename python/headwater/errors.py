"""The exceptions of Headwater, one for each status code of gRPC.

They are the exceptions of ``ml_metadata.errors``, too: what catches one catches the other.
"""

from __future__ import annotations

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class StatusError(Exception):
    """A call that failed. ``error_code`` is the number of its status, ``message`` its reason."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code


class _OfOneCode(StatusError):
    """An exception whose class says which status it is."""

    code: int

    def __init__(self, message: str) -> None:
        super().__init__(message, self.code)


class CancelledError(_OfOneCode):
    """The caller gave the call up."""

    code = CANCELLED


class UnknownError(StatusError):
    """The reason is not known, or its code is not one of these."""

    def __init__(self, message: str, error_code: int = UNKNOWN) -> None:
        super().__init__(message, error_code)


class InvalidArgumentError(_OfOneCode):
    """The request is wrong, whatever is stored."""

    code = INVALID_ARGUMENT


class DeadlineExceededError(_OfOneCode):
    """The time that the caller gave is over. A write may have been made."""

    code = DEADLINE_EXCEEDED


class NotFoundError(_OfOneCode):
    """Something that the request names is not there."""

    code = NOT_FOUND


class AlreadyExistsError(_OfOneCode):
    """Something that the request makes is there already, and differs."""

    code = ALREADY_EXISTS


class PermissionDeniedError(_OfOneCode):
    """The caller is known and may not do this."""

    code = PERMISSION_DENIED


class ResourceExhaustedError(_OfOneCode):
    """A limit is reached: of the size of a message, of the disk, of what is running at once."""

    code = RESOURCE_EXHAUSTED


class FailedPreconditionError(_OfOneCode):
    """The store is not in a state in which this can be done."""

    code = FAILED_PRECONDITION


class AbortedError(_OfOneCode):
    """Another writer was in the way; the same request may succeed when it is sent again."""

    code = ABORTED


class OutOfRangeError(_OfOneCode):
    """The request goes past the end of what there is."""

    code = OUT_OF_RANGE


class UnimplementedError(_OfOneCode):
    """There is no such method, or not for these arguments."""

    code = UNIMPLEMENTED


class InternalError(_OfOneCode):
    """A bug, or a database that does what it must not do."""

    code = INTERNAL


class UnavailableError(_OfOneCode):
    """The server or the database cannot be reached now. A write may have been made."""

    code = UNAVAILABLE


class DataLossError(_OfOneCode):
    """What is stored is damaged."""

    code = DATA_LOSS


class UnauthenticatedError(_OfOneCode):
    """The caller is not known."""

    code = UNAUTHENTICATED


_CODE_TO_EXCEPTION_CLASS: dict[int, type[StatusError]] = {
    CANCELLED: CancelledError,
    UNKNOWN: UnknownError,
    INVALID_ARGUMENT: InvalidArgumentError,
    DEADLINE_EXCEEDED: DeadlineExceededError,
    NOT_FOUND: NotFoundError,
    ALREADY_EXISTS: AlreadyExistsError,
    PERMISSION_DENIED: PermissionDeniedError,
    RESOURCE_EXHAUSTED: ResourceExhaustedError,
    FAILED_PRECONDITION: FailedPreconditionError,
    ABORTED: AbortedError,
    OUT_OF_RANGE: OutOfRangeError,
    UNIMPLEMENTED: UnimplementedError,
    INTERNAL: InternalError,
    UNAVAILABLE: UnavailableError,
    DATA_LOSS: DataLossError,
    UNAUTHENTICATED: UnauthenticatedError,
}


def exception_type_from_error_code(error_code: int) -> type[StatusError]:
    """The class for a status; KeyError for a number that is none."""
    return _CODE_TO_EXCEPTION_CLASS[error_code]


def make_exception(message: str, error_code: int) -> StatusError:
    """The exception for a status. What is a bug is logged, too."""
    kind = _CODE_TO_EXCEPTION_CLASS.get(error_code, UnknownError)
    if error_code == INTERNAL:
        import logging  # takes long, and is seldom needed

        logging.getLogger("headwater").warning("%s: %s", kind.__name__, message)
    return kind(message)  # type: ignore[call-arg]
