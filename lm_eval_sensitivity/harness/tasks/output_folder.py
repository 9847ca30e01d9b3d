"""Find out before the first token, not after the last, that results cannot be written.

lm_eval catches every error while it saves, logs it and exits with status 0: after hours of generation
a read-only folder would cost the whole run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.close.last_screen import Kept
from lm_eval_sensitivity.harness.tasks.evaluator import of_evaluator
from lm_eval_sensitivity.text.escape import is_text, shown_path


def check_output_folder() -> None:
    """Refuse an `--output_path` that cannot be written.

    Raises:
        InputError: its name is no text, or the folder, or the nearest existing folder above it, takes no files.
    """
    path, target = _output_path(), output_folder()
    if path is None or target is None:
        return
    if not is_text(str(path)):
        raise InputError(f"`--output_path {shown_path(path)}` is no UTF-8 text. Give another name.")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target, prefix=".write_test_"):
            pass
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise InputError(
            f"`--output_path {path}` cannot be written ({problem}). lm_eval would only say so "
            "after the run and lose its results; give a folder that can be written."
        ) from None


def output_folder() -> Path | None:
    """The folder that the evaluation that is calling will write to.

    Returns:
        `--output_path`, or the folder of one that ends in `.json`, as lm_eval takes it; None where nothing is saved
        or no evaluation is calling.
    """
    path = _output_path()
    return path.parent if path is not None and path.suffix == ".json" else path


def kept() -> Kept:
    """What the evaluation that is calling will keep, and where."""
    folder = output_folder()
    tracker = of_evaluator("evaluation_tracker")
    below = getattr(getattr(tracker, "general_config_tracker", None), "model_name_sanitized", None)
    named = folder if folder == _output_path() else None
    return Kept(folder, named / str(below) if named and below else folder, bool(of_evaluator("log_samples")))


def _output_path() -> Path | None:
    path = getattr(of_evaluator("evaluation_tracker"), "output_path", None)
    return None if path is None else Path(path)
