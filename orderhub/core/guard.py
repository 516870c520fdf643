"""Ends process groups when the supervisor that started them is gone, however it ended; run as a script.

Reads `+GROUP` and `-GROUP` lines from its standard input, which only the supervisor holds open. At the end of the
input every group that is left is asked to end, and after the grace time killed.

    python guard.py GRACE_SECONDS
"""

import os
import signal
import sys
import time
from collections.abc import Iterable


def main(lines: Iterable[str], grace_seconds: float) -> None:
    """Follow the list of groups until the supervisor is gone, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups, grace_seconds)


def end_groups(groups: Iterable[int], grace_seconds: float) -> None:
    """Send SIGTERM to the leader of each process group, wait, then SIGKILL what is left of it."""
    left = {group for group in groups if is_alive(group)}
    for group in left:
        signal_leader(group)
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if is_alive(group)}
    for group in left:
        kill_group(group)


def signal_leader(group: int) -> None:
    """Ask the leader alone: it knows how to end its own workers in order. Without a leader all are asked."""
    try:
        os.kill(group, signal.SIGTERM)
    except ProcessLookupError:
        kill_group(group, signal.SIGTERM)


def kill_group(group: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to every process of a group; one that is gone is no error."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def is_alive(group: int) -> bool:
    """Tell whether a process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main(sys.stdin, float(sys.argv[1]))
