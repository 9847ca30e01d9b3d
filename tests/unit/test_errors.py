"""What a user's mistake prints; suggestions for mistyped names, which a stranger's file cannot make expensive."""

from __future__ import annotations

import difflib
import subprocess
import sys

import pytest

from lm_eval_sensitivity.errors import MOST_CANDIDATES, did_you_mean


def test_many_names_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"prompt-{number:06d}" for number in range(MOST_CANDIDATES)]
    assert did_you_mean("prompt-00000007", names) == " Did you mean 'prompt-000007'?"

    def never(*_: object, **__: object) -> list[str]:
        raise AssertionError("compared")

    monkeypatch.setattr(difflib, "get_close_matches", never)
    assert did_you_mean("prompt-000O07", [*names, "one more"]) == ""


def test_python_prints_the_sentence_and_no_traceback() -> None:
    code = "from lm_eval_sensitivity.errors import InputError; raise InputError('No such rung.')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "No such rung.\n")
