"""The cost of pure Python work in calls: a figure that no other process on the machine can change."""

import sys


def calls_made(work) -> int:
    """Python calls that work() makes."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
