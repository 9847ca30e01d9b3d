"""Find and read what lm_eval wrote: results JSON and samples JSONL of one run, as strangers' data."""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.files import MAX_ROWS
from lm_eval_sensitivity.text.escape import shown_path

MAX_RESULTS_BYTES = 64 * 1024**2
MAX_SAMPLES_BYTES = 8 * 1024**3
MAX_LINE_BYTES = 64 * 1024**2
MAX_SAMPLES_ROWS = 2 * MAX_ROWS
"""Two filters show every pair of a ladder."""
MAX_RUNS = 1_000
"""Most results files below one folder."""

_OLD_NAMES = {
    f"js_distance{rest}": f"js_divergence{rest}"
    for rest in ("", ",raw", ",answer", "_stderr,raw", "_stderr,answer")
}
"""Names of fields in files of earlier versions, and what they are called now."""

_DATE = r"(?P<date>\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d+)?)"
_RESULTS_NAME = re.compile(rf".+_{_DATE}\.json", re.DOTALL)
_SAMPLES_NAME = re.compile(rf"samples_(?P<task>.+)_{_DATE}\.jsonl", re.DOTALL)


@dataclass(frozen=True)
class RunFiles:
    """The files of one run inside an `--output_path` folder."""

    results: Path
    date: str
    """lm_eval's time metadata, common to all files of a run."""
    samples: Mapping[str, Path]
    """Task name -> samples file."""


def scan_folder(folder: Path) -> tuple[list[RunFiles], list[Path]]:
    """Everything below a folder that has the name of a results or samples file.

    `--output_path runs/x` makes `results_<date>.json`, `--output_path runs/x.json` makes `x_<date>.json`;
    the samples of the run stand beside it. A name from inside a file is never made into a path.

    Returns:
        Runs, oldest first, those of other tasks and those without samples among them; and samples files without
        the results file of their run.

    Raises:
        InputError: no such folder, or too many files in it.
    """
    try:
        exists, is_folder = folder.exists(), folder.is_dir()
    except OSError as error:
        _refuse(folder, f"cannot be looked up ({error.strerror})")
    if not is_folder:
        problem = "is not a folder" if exists else "does not exist"
        raise InputError(
            f"Run folder `{shown_path(folder)}` {problem}. Give the folder that was `--output_path`."
        )
    results, samples = _named_files(folder)
    runs = []
    for place, path in results.items():
        own = {task: file for (*where, task), file in samples.items() if tuple(where) == place}
        runs.append(RunFiles(path, place[1], own))
    orphans = [file for (parent, date, _), file in samples.items() if (parent, date) not in results]
    return sorted(runs, key=lambda run: (run.date, str(run.results))), orphans


def empty_folders(folder: Path) -> list[Path]:
    """Folders below one that hold nothing: a run makes its folder before its first token, and its files at the end."""
    return sorted(path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir()))


def _named_files(folder: Path) -> tuple[dict[tuple[Path, str], Path], dict[tuple[Path, str, str], Path]]:
    """Results files by folder and date, samples files by folder, date and task."""
    results: dict[tuple[Path, str], Path] = {}
    samples: dict[tuple[Path, str, str], Path] = {}
    for path in sorted(folder.rglob("*_*.json*")):
        if match := _RESULTS_NAME.fullmatch(path.name):
            results[path.parent, match["date"]] = path
        elif match := _SAMPLES_NAME.fullmatch(path.name):
            samples[path.parent, match["date"], match["task"]] = path
        if len(results) > MAX_RUNS:
            raise InputError(
                f"Run folder `{shown_path(folder)}` holds more than {MAX_RUNS} results files. Give the folder of "
                "one system."
            )
    return results, samples


_INCOMPLETE = "The file may be incomplete: copy it again, or repeat the run."


def read_results(run: RunFiles) -> dict[str, Any]:
    """The results JSON of a run.

    Raises:
        InputError: unreadable, too large, or not a JSON object.
    """
    name = shown_path(run.results)
    _check_file(run.results, MAX_RESULTS_BYTES)
    try:
        results = parse_json(run.results.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be read as JSON: {_problem(error)}. {_INCOMPLETE}") from None
    if not isinstance(results, dict):
        raise InputError(f"{name} holds a {type(results).__name__}; expected a JSON object.")
    return results


def read_samples(
    path: Path, *, advance: Callable[[int], object] = lambda n_bytes: None
) -> Iterator[dict[str, Any]]:
    """The rows of a samples file, one by one, each a dictionary.

    Args:
        path: a samples file.
        advance: called with the bytes of every line, for a progress bar.

    Returns:
        [line] parsed objects, read while they are asked for.

    Raises:
        InputError: unreadable or too large, naming the line.
    """
    _check_file(path, MAX_SAMPLES_BYTES)
    number = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), start=1):
                where = f"{shown_path(path)}, line {number}"
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(
                        f"{where}: longer than {MAX_LINE_BYTES} bytes, which no output of a model is."
                    )
                if number > MAX_SAMPLES_ROWS:
                    raise InputError(f"{where}: more than {MAX_SAMPLES_ROWS} rows are not read.")
                row = parse_json(line.decode("utf-8"))
                if not isinstance(row, dict):
                    raise InputError(f"{where}: holds a {type(row).__name__}; expected a JSON object.")
                yield row
                advance(len(line))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        # The line that could not be opened is the first, the one that could not be read is the last counted.
        raise InputError(
            f"{shown_path(path)}, line {max(number, 1)}: cannot be read as JSON: {_problem(error)}. {_INCOMPLETE}"
        ) from None


def parse_json(text: str) -> Any:
    """JSON as lm_eval writes it: NaN stands for a missing number; infinities and repeated fields are refused.

    Raises:
        ValueError: not such a text.

    Example:
        >>> parse_json('{"a": NaN}')
        {'a': nan}
        >>> parse_json('{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ...
        ValueError: the field 'a' stands there twice
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    names = {_OLD_NAMES.get(key, key): value for key, value in items}
    if len(names) < len(items):
        keys = [_OLD_NAMES.get(key, key) for key, _ in items]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the field {twice[:80]!r} stands there twice")
    return names


def _constant(name: str) -> float:
    if name != "NaN":
        raise ValueError(f"{name} is no number that lm_eval writes")
    return math.nan


def _problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)[:200]


def _check_file(path: Path, limit: int) -> None:
    try:
        status = path.stat()
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, "is not a regular file")
    if status.st_size > limit:
        _refuse(path, f"has {status.st_size} bytes; more than {limit} are not read")


def _refuse(path: Path, problem: str) -> NoReturn:
    raise InputError(f"{shown_path(path)} {problem}.")
