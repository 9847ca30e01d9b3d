"""What is frozen, made anew: each function is one way to see the package from outside, as text that can be compared.

What must differ between two machines or two days is settled here and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import math
import os
import re
import shlex
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq

from tests.golden import entries
from tests.running import read_run

HERE = Path(__file__).parent
RUNS = HERE / "runs"
WIDTH = "100"
FEW_ROWS = 12
"""A table that is longer is shown by its first row and a digest of every column."""

# Who listens to a log is not the commands' matter: without this, lm_eval's warnings stand on stderr, but not in pytest.
logging.getLogger().addHandler(logging.NullHandler())


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, so that no path of this machine gets into a name."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# ---- what must differ


def settled(text: str) -> str:
    """A text without version, temporary folder, progress, checksums and sizes of files, and digits beyond the ninth.

    Example:
        >>> settled("mean 0.12345678901234, 0.5"), settled('"sha256": "%s"' % ("a" * 64))
        ('mean 0.123456789, 0.5', '"sha256": "<sha256>"')
    """
    text = text.replace(str(scratch()), "{tmp}").replace(str(entries.demo_model_path()), "{demo}")
    text = re.sub(rf"(?<![\d.]){re.escape(entries.__version__)}(?!\.?\d)", "<version>", text)
    text = re.sub(r'"sha256": "[0-9a-f]{64}"', '"sha256": "<sha256>"', text)
    text = re.sub(r'"bytes": \d+', '"bytes": "<bytes>"', text)
    text = re.sub(r" +[\d,]+(\.\d+)? (bytes|kB|MB)\b", " <size>", text)
    text = "\n".join(line for line in text.split("\n") if not re.search(r"\d(it|prompt|pair)/s\]", line))
    return re.sub(r"-?\d+\.\d{9,}(e-?\d+)?", lambda found: f"{float(found[0]):.9g}", text)


@cache
def scratch() -> Path:
    """A folder for everything that commands write; it lives as long as this process."""
    _KEPT.append(tempfile.TemporaryDirectory())
    return Path(_KEPT[0].name).resolve()


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


# ---- commands


def command(line: str, after: str | None = None) -> str:
    """What one command line prints on both streams, and its status.

    Args:
        line: in it `{tmp}` is a folder to write into, and `{demo}` the demonstration model.
        after: another line that makes what this one reads.
    """
    if after is not None:
        run(after)
    status, printed, complained = run(line)
    if line.endswith("--format json"):
        printed = a_record_a_line(printed)
    return f"$ lm-eval-sensitivity {line}\n{printed}--- stderr\n{complained}--- status {status}\n"


def a_record_a_line(text: str) -> str:
    """JSON with one line for each list of numbers and each object without another inside: people read its diff.

    Example:
        >>> print(a_record_a_line(json.dumps({"rows": [{"a": 1, "b": [2, 3]}]}, indent=1)))
        {
         "rows": [
          {"a": 1, "b": [2, 3]}
         ]
        }
    """
    for inner in (r"\[([^\[\]{}\"]*)\]", r"\{([^{}]*)\}"):
        text = re.sub(inner, lambda found: found[0][0] + _in_one_line(found[1]) + found[0][-1], text)
    return text


def _in_one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.strip().split("\n"))


@cache
def run(line: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of the command, which runs in the folder of the recordings; each line once."""
    if "golden_text" in line:
        import tests.golden.text_engine  # noqa: F401 - registers itself

    printed, complained = io.StringIO(), io.StringIO()
    with (
        inside(RUNS),
        patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1"}),
        redirect_stdout(printed),
        redirect_stderr(complained),
    ):
        try:
            status = entries.main(_arguments(line))
        except SystemExit as error:  # argparse's own
            status = int(error.code or 0)
    return status, settled(printed.getvalue()), settled(complained.getvalue())


def _arguments(line: str) -> list[str]:
    return shlex.split(
        line.replace("{tmp}", str(scratch())).replace("{demo}", str(entries.demo_model_path()))
    )


MOST_LINES, FIRST_LINES = 300, 12
"""Of a JSON file that is shown whole, and of a longer one: the rest is in its digest."""


def written(line: str, name: str) -> str:
    """The same, and what the command wrote: one file below `{tmp}`, or all files of a folder."""
    shown = command(line)
    target = scratch() / name
    files = sorted(target.rglob("*")) if target.is_dir() else [target]
    parts = [f"=== {path.relative_to(scratch())}\n{_content(path)}" for path in files if path.is_file()]
    return "\n".join([shown, *parts])


def _content(path: Path) -> str:
    if path.suffix == ".parquet":
        return dump(pq.read_table(path))
    if path.suffix in (".svg", ".png"):
        return "(a figure)\n"
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".jsonl", ".csv"):
        lines = settled(text).splitlines(keepends=True)
        return f"{len(lines)} lines, {_digest(lines)}\n" + "".join(lines[:2])
    if path.suffix == ".json":
        text = re.sub(r',(?=\{"(selection|system|first|metric|name)":)', ",\n", text)  # a record on each line
    if path.suffix == ".html":
        text = re.sub(r"<svg.*?</svg>", "<svg/>", text, flags=re.DOTALL)
        text = re.sub(r"data:image/[^\"]+", "data:image", text)
    lines = settled(text).splitlines(keepends=True)
    if path.suffix == ".json" and len(lines) > MOST_LINES:
        return "".join(lines[:FIRST_LINES]) + f"... {len(lines)} lines in all, {_digest(lines)}\n"
    return "".join(lines)


def dump(table: Any) -> str:
    """Schema and values of a table, column by column."""
    lines = [f"{table.num_rows} rows"]
    for field, column in zip(table.schema, table.columns, strict=True):
        values = [_rounded(value) for value in column.to_pylist()]
        shown = [json.dumps(value, ensure_ascii=False, default=_digest) for value in values]
        content = ", ".join(shown) if len(shown) <= FEW_ROWS else f"{shown[0][:200]}, ... {_digest(shown)}"
        about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        lines.append(
            f"{field.name}: {field.type}{'' if field.nullable else ' not null'} {about or ''}\n  {content}"
        )
    return settled("\n".join(lines)) + "\n"


def _rounded(value: Any) -> Any:
    """Seven digits, at any depth: all that a 32-bit float has."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    content = value if isinstance(value, bytes) else "\n".join(map(str, value)).encode()
    return f"sha256 {hashlib.sha256(content).hexdigest()[:16]}"


# ---- the page


@cache
def _results(export: str) -> Any:
    """An opened folder of results; the case of the export itself says whether it is right."""
    status, _, complained = run(export)
    assert status == 0, complained
    return entries.open_results(Path(_arguments(export)[-1]))


def page(export: str, address: str) -> str:
    """The HTML of an address over the results of an export."""
    return settled(entries.render(_results(export), entries.parse(address)))


def downloads(export: str) -> str:
    """The beginning of every file that the page offers, and its length: the documents are those of the commands."""
    parts = []
    for name in entries.documents(_results(export)):
        for form in ("csv", "json"):
            file = entries.make_download(_results(export), f"{name}.{form}")
            lines = settled(base64.b64decode(file["base64"]).decode()).splitlines(keepends=True)
            parts.append(
                f"=== {file['name']} {file['media_type']}, {len(lines)} lines\n{''.join(lines[:FEW_ROWS])}"
            )
    return "\n".join(parts)


# ---- what two runs have in common

SAID_ANEW = (
    *(f"{row},{view}" for row in ("noise", "verdict", "baseline_drift") for view in ("raw", "answer")),
    *("groups", "prompt_sensitivity_mini_meaning_preserving", "p_value"),
)
"""Fields that are said or averaged in another way since the recordings: the noise test, verdicts, equal weight per
rung, drift over variants, the energy distance of samples. `said` has what they are today."""
NOT_COMPARED = (
    *(
        "date",
        "git_hash",
        "upper_git_hash",
        "pretty_env_info",
        "total_evaluation_time_seconds",
        "config_source",
        "files",
    ),
    *SAID_ANEW,
    *("package_version", "torch", "transformers", "transformers_version", "lm_eval_version", "system"),
)
"""Names of fields that say when and where a run was made; `system` is a hash of such facts among others."""
NEAR = {"rel_tol": 1e-4, "abs_tol": 1e-5}
NEAR_IN_PRINT = {"rel_tol": 1e-4, "abs_tol": 1.01e-4}
"""The fourth decimal may be rounded the other way."""
_TIME_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+(?:e-?\d+)?|e-?\d+)")


RENAMED = {"js_distance": "js_divergence"}
SINCE = (
    *("length_change", "output_spread", "text_edit_distance", "js_lower", "js_upper", "fed"),
    *("repetitions", "variant_drift"),
)
"""Names that are newer than the recordings, which stay as they are: they show that old files are read."""
REASONS = {
    "text only: this engine returns no token ids, logits or hidden states": "not given: this engine gives no "
}
"""What a reason begins with now."""


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Places in which a recording and a run of today differ: numbers by more than rounding, the rest at all."""
    expected, found = _present(_unpacked(expected)), _without_newer(_unpacked(found))
    if isinstance(expected, float) and isinstance(found, float):
        if not (math.isclose(expected, found, **NEAR) or (math.isnan(expected) and math.isnan(found))):
            yield f"{where}: {expected} became {found}"
    elif isinstance(expected, dict) and isinstance(found, dict):
        for name in dict.fromkeys((*expected, *found)):
            if name not in expected or name not in found:
                if expected.get(name) is not None or name in found:  # what is null need not stand there
                    yield f"{where}.{name}: {'new' if name in found else 'gone'}"
            elif name not in NOT_COMPARED:
                yield from differences(expected[name], found[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif isinstance(expected, str) and expected in REASONS and str(found).startswith(REASONS[expected]):
        return
    elif expected != found or type(expected) is not type(found):
        yield f"{where}: {expected!r:.300} became {found!r:.300}"


def said(folder: Path) -> str:
    """What a run prints and logs today, and the fields that are not compared with those of its recording."""
    run = read_run(folder)
    fields = sorted(_said_anew({"results": run.results, "samples": run.samples}))
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in ("printed.txt", "logged.txt")]
    # A process says once, in whichever run that is, that it loads an embedder or a reference.
    lines = [
        line
        for text in texts
        for line in text.split("\n")
        if not line.startswith(("Embedder ", "Reference "))
    ]
    return settled("\n".join((*fields, *lines)))


def _said_anew(value: Any, where: str = "") -> Iterator[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        if name in SAID_ANEW:
            yield f"{where}.{name}: {json.dumps(each)}"
        else:
            yield from _said_anew(each, f"{where}.{name}")


def _present(value: Any) -> Any:
    """An object or a list of names under the names of today."""
    if isinstance(value, dict):
        return {_renamed(name): each for name, each in value.items()}
    return [_renamed(each) for each in value] if isinstance(value, list) else value


def _renamed(name: Any) -> Any:
    for old, new in RENAMED.items():
        if isinstance(name, str) and name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _without_newer(value: Any) -> Any:
    if isinstance(value, dict):
        # The audit of a pair always had its own change of length, that of the prompt.
        return {name: each for name, each in value.items() if "status" in value or not name.startswith(SINCE)}
    if isinstance(value, list):
        return [each for each in value if not (isinstance(each, str) and each in SINCE)]
    return value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != {"dtype", "n", "z"}:
        return value
    return np.frombuffer(zlib.decompress(base64.b64decode(value["z"])), value["dtype"]).tolist()


def same_in_print(expected: str, found: str) -> bool:
    """Whether two texts are equal but for numbers that are not whole, which are near each other."""
    expected, found = (_TIME_STAMP.sub("<date>", text) for text in (expected, found))
    numbers = [list(map(float, _NUMBER.findall(text))) for text in (expected, found)]
    near = all(math.isclose(one, other, **NEAR_IN_PRINT) for one, other in zip(*numbers, strict=False))
    return near and _NUMBER.sub("#", expected) == _NUMBER.sub("#", found)
