"""Errors of ours are Python's own too."""

import inspect

import pytest

from arise_core import errors

KINDS = {
    errors.InputError: ValueError,
    errors.ModelError: ValueError,
    errors.InputTypeError: TypeError,
    errors.FileError: OSError,
    errors.MissingFileError: FileNotFoundError,
    errors.ExistingFileError: FileExistsError,
    errors.MissingPackageError: ImportError,
    errors.MemoryLimitError: MemoryError,
    errors.WorkError: RuntimeError,
}


@pytest.mark.parametrize("ours", KINDS)
def test_each_is_caught_as_what_it_was(ours):
    with pytest.raises(KINDS[ours], match="`stride` must be") as found:
        raise ours("`stride` must be a number")
    assert isinstance(found.value, errors.AriseError)
    assert str(found.value) == "`stride` must be a number"


def test_none_is_left_out():
    known = {c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__}
    assert known - set(KINDS) == {errors.AriseError}
