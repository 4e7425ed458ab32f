"""How commands end; docs/client.md explains it to whoever writes scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of a command."""

    DONE = 0
    FAILED = 1
    """The job failed, or the command could not be done here."""
    USAGE = 2
    REFUSED = 3
    """The service said no: an answer of 4xx."""
    UNREACHABLE = 4
    """No answer, or one of 5xx, after every try."""
    UNFINISHED = 5
    """The job was cancelled, or was not finished in time."""
    INTERRUPTED = 130
    """Ctrl-C; a job that was waited for goes on."""
