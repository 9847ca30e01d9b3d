"""Find and read what lm_eval wrote: results JSON and samples JSONL of one run, as strangers' data."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError

TASK_PREFIX = "prompt_sensitivity"
MAX_RESULTS_BYTES = 64 * 1024**2
MAX_SAMPLES_BYTES = 8 * 1024**3
MAX_LINE_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class RunFiles:
    """The files of one run inside an `--output_path` folder."""

    results: Path
    date: str
    """lm_eval's time stamp, common to all files of a run."""
    samples: Mapping[str, Path]
    """Task name -> samples file; our tasks only."""


def find_runs(folder: Path) -> list[RunFiles]:
    """All runs of our tasks below a folder, oldest first.

    Raises:
        InputError: no such folder, or no run with logged samples of our tasks in it.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"Run folder `{folder}` {problem}. Give the folder that was `--output_path`.")
    runs = []
    for results in sorted(folder.rglob("results_*.json")):
        date = results.stem.removeprefix("results_")
        samples = {
            path.name.removeprefix("samples_").removesuffix(f"_{date}.jsonl"): path
            for path in sorted(results.parent.glob(f"samples_{TASK_PREFIX}*_{date}.jsonl"))
        }
        if samples:
            runs.append(RunFiles(results, date, samples))
    if not runs:
        raise InputError(
            f"Run folder `{folder}` holds no prompt_sensitivity run with samples. Run lm_eval with "
            f"`--output_path {folder} --log_samples`."
        )
    return sorted(runs, key=lambda run: run.date)


def read_results(run: RunFiles) -> dict[str, Any]:
    """The results JSON of a run.

    Raises:
        InputError: unreadable, too large, or not a JSON object.
    """
    _check_file(run.results, MAX_RESULTS_BYTES)
    try:
        results = json.loads(run.results.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{run.results} cannot be read as JSON: {error}.") from None
    if not isinstance(results, dict):
        raise InputError(f"{run.results} holds a {type(results).__name__}; expected a JSON object.")
    return results


def read_samples(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a samples file, one by one.

    Raises:
        InputError: unreadable or too large, naming the line.
    """
    _check_file(path, MAX_SAMPLES_BYTES)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(f"{path}, line {number}: longer than {MAX_LINE_BYTES} bytes.")
                row = json.loads(line.decode("utf-8"))
                if not isinstance(row, dict):
                    raise InputError(f"{path}, line {number}: expected a JSON object.")
                yield row
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON lines: {error}.") from None


def _check_file(path: Path, limit: int) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a regular file.")
    if status.st_size > limit:
        raise InputError(f"{path} has {status.st_size} bytes; more than {limit} are not read.")
