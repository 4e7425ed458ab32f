"""Nothing outlives its supervisor: a pipe whose other end only the supervisor holds.

    python -m worker.lifeline FD module NAME            run a Python module of the service in this process
    python -m worker.lifeline FD program PATH ARG ...   run another program as a child of this process

End of file on FD means that the supervisor is gone, however it went. Running the module from here is what lets the API
have a lifeline without importing anything of the worker's.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

GRACE_SECONDS = 5.0


def watch(descriptor: int, at_end: Callable[[], None]) -> None:
    """Call `at_end` in a thread once the pipe is at its end."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 1024):
                pass
        at_end()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def end_this_process() -> None:
    """As the supervisor would have: ask, then insist."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def run_module(descriptor: int, module: str) -> None:
    """Become `python -m module`, on a lifeline."""
    watch(descriptor, end_this_process)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def run_program(descriptor: int, arguments: list[str]) -> int:
    """Run a program that knows nothing of lifelines; its exit status."""
    program = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: program.terminate())

    def end() -> None:
        program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(GRACE_SECONDS)
        program.kill()

    watch(descriptor, end)
    return program.wait()


def main() -> None:
    """See the module's text."""
    descriptor, form, *rest = sys.argv[1:]
    if form == "module":
        run_module(int(descriptor), rest[0])
    else:
        sys.exit(run_program(int(descriptor), rest))


if __name__ == "__main__":
    main()
