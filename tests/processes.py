"""Processes that tests start: whatever becomes of the test, nothing of them stays."""

import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def running(code, *arguments, **options):
    """Run Python code in a process of its own, its output a pipe of text; it is killed at the end.

    A test that fails would otherwise leave process and pipe to the garbage collector, and another test with the blame.
    """
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()
