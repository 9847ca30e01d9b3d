"""Find out before the first token, not after the last, that results cannot be written.

lm_eval catches every error while it saves, logs it and exits with status 0: after hours of generation
a read-only folder would cost the whole run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import FrameType

from lm_eval_sensitivity.errors import InputError


def check_output_folder() -> None:
    """Refuse an `--output_path` that cannot be written.

    Raises:
        InputError: the folder, or the nearest existing folder above it, takes no files.
    """
    path = output_path()
    if path is None:
        return
    target = path.parent if path.suffix == ".json" else path
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target, prefix=".write_test_"):
            pass
    except OSError as error:
        raise InputError(
            f"`--output_path {path}` cannot be written ({error.strerror or error}). lm_eval would only say so "
            "after the run and lose its results; give a folder that can be written."
        ) from None


def output_path() -> Path | None:
    """The `--output_path` of the evaluation that is calling.

    Returns:
        The path, or None where nothing is saved or no evaluation is calling.
    """
    # Tasks are not told the output path. The evaluator that is running us holds the tracker that will
    # save the results; looking at it from here changes nothing in lm_eval.
    import sys

    frame: FrameType | None = sys._getframe()
    while frame is not None:
        path = getattr(frame.f_locals.get("evaluation_tracker"), "output_path", None)
        if path is not None:
            return Path(path)
        frame = frame.f_back
    return None
