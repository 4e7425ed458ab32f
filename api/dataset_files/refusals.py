"""Why an upload is no table that is taken. Known to the reading process, which knows no HTTP."""

from typing import NoReturn


class FileRefused(Exception):
    """`status`: 413 where a cap is exceeded, else 422. `pointer`: the form's field that is to blame.

    The detail names the place (column, line) or the number, and quotes no value.
    """

    def __init__(self, detail: str, *, status: int = 422, pointer: str = "/file") -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.pointer = pointer


def refuse_file(detail: str, pointer: str = "/file") -> NoReturn:
    """The upload is no table that can be used, or `pointer` does not fit it."""
    raise FileRefused(detail, pointer=pointer)


def too_large(detail: str) -> NoReturn:
    """A cap is exceeded; `detail` names its number."""
    raise FileRefused(detail, status=413)
