"""The exceptions of `ml_metadata.errors`."""

import pytest
from ml_metadata import errors

CODES = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_every_code_has_its_class(name, code):
    kind = getattr(errors, "".join(word.capitalize() for word in name.split("_")) + "Error")
    assert getattr(errors, name) == code
    assert errors.exception_type_from_error_code(code) is kind
    for error in (kind("why"), errors.make_exception("why", code)):
        assert isinstance(error, kind)
        assert isinstance(error, errors.StatusError)
        assert (str(error), error.message, error.error_code) == ("why", "why", code)


def test_what_is_no_code_is_unknown():
    assert errors.OK == 0
    assert isinstance(errors.make_exception("why", 99), errors.UnknownError)
    with pytest.raises(KeyError):
        errors.exception_type_from_error_code(99)


def test_they_are_headwaters_own():
    from headwater import errors as headwaters

    assert errors.NotFoundError is headwaters.NotFoundError
