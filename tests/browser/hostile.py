"""A results folder whose systems and outputs want to be markup, code or control characters."""

from __future__ import annotations

import json
from pathlib import Path

from lm_eval_sensitivity.results.write import Request, export_results
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import signature
from tests.unit.results.made_results import SETTINGS, make_runs, renamed
from tests.unit.runs.made_run import write_rows

MARKUP = "\"><img src=x onerror=\"window.owned='img'\"><script>window.owned='script'</script>"
ATTRIBUTE = "' onmouseover='window.owned=1' x=\"javascript:window.owned=2\" autofocus onfocus=window.owned=3"
TEMPLATES = "${window.owned='js'} ${1+1} {{7*7}} {% raw %} #{7*7} <%= 7*7 %>"
CONTROLS = "\u202egnp.exe\u202c \u2066isolated \x1b[31mred\x1b[0m \x1b]8;;http://x\x07 zero\u200bwidth \x00nul\r\nline"
OUTPUT = f" {MARKUP} {ATTRIBUTE} {TEMPLATES} {CONTROLS} </bdi></div></div><style>*{{display:none}}</style>"
"""At the end of every output."""
RUNGS = ("identical", "noop", "positive_control")
NAMES = (MARKUP, ATTRIBUTE, TEMPLATES, CONTROLS)


def make_hostile_results(home: Path) -> None:
    """Write `home/results`.

    Args:
        home: an empty folder; the runs are written there, too.
    """
    folders = make_runs(home / "runs", len(NAMES), rungs=RUNGS).folders
    for samples in (path for folder in folders for path in folder.rglob("samples_*.jsonl")):
        _spoil(samples)
    pairs = load_runs(folders)
    own = [each.name for each in pairs.systems]
    pairs = renamed(pairs, dict(zip(own, NAMES, strict=True)))
    series = {f"a series {MARKUP}": pairs.systems[1:3]}
    request = Request(pairs, pairs.systems[0], series, signature(pairs, **SETTINGS), 0.05, folders=folders)
    export_results(request, home / "results")


def _spoil(samples: Path) -> None:
    rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["resps"] = [[text + OUTPUT for text in texts] for texts in row["resps"]]
        if row["filter"] == "raw":
            row["filtered_resps"] = [texts[0] for texts in row["resps"]]
    write_rows(samples, rows)
