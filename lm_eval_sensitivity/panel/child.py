"""`python -m lm_eval_sensitivity.panel.child PARENT ...`: lm_eval in a process that dies with its parent.

It is `python -m lm_eval ...` but for two things. A parent that is killed takes it along: an lm_eval that lived on would
write beside its own retry. And a user's mistake ends it with a status of its own, so that nobody repeats it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

from lm_eval_sensitivity.errors import InputError

MISTAKES = (2, 64)
"""Statuses of a user's mistake: of argparse, and `EX_USAGE` of sysexits.h, which stands for an `InputError`."""

_PR_SET_PDEATHSIG = 1
"""As in linux/prctl.h. The signal comes when the thread that started this process ends."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone; other systems than Linux have nothing like it.

    Args:
        parent: process id of whoever started this one.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Run lm_eval with the remaining arguments."""
    die_with(int(sys.argv[1]))
    sys.argv = ["lm_eval", *sys.argv[2:]]
    try:
        runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return MISTAKES[-1]
    return 0


if __name__ == "__main__":
    sys.exit(main())
