"""A results folder whose systems and outputs want to be markup, code or control characters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.probes.files import save
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.results.write import Request, export_results
from lm_eval_sensitivity.runs import System, load_runs
from lm_eval_sensitivity.statements import signature
from lm_eval_sensitivity.types import Note
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


def make_hostile_results(home: Path, probed: ProbeResult[Any]) -> None:
    """Write `home/results`.

    Args:
        home: an empty folder; the runs are written there, too.
        probed: a result of a probe, whose texts are spoiled.
    """
    folders = make_runs(home / "runs", len(NAMES), rungs=RUNGS).folders
    for samples in (path for folder in folders for path in folder.rglob("samples_*.jsonl")):
        _spoil(samples)
    pairs = load_runs(folders)
    for system in pairs.systems:
        save(_spoiled(probed, system), system.rungs[0].results.parent)
    own = [each.name for each in pairs.systems]
    pairs = renamed(pairs, dict(zip(own, NAMES, strict=True)))
    series = {f"a series {MARKUP}": pairs.systems[1:3]}
    request = Request(pairs, pairs.systems[0], series, signature(pairs, **SETTINGS), 0.05, folders=folders)
    export_results(request, home / "results")


def _spoiled(result: ProbeResult[Any], system: System) -> ProbeResult[Any]:
    """The result of a probe as if it were of that system, every text of it a stranger's."""
    edits = tuple(replace(each, edit=MARKUP) for each in result.finding.edits)
    return replace(
        result,
        system=system.fingerprint,
        name=MARKUP,
        ladder=system.ladder,
        settings={ATTRIBUTE: TEMPLATES},
        conditions=replace(result.conditions, architecture=CONTROLS),
        finding=replace(result.finding, edits=edits),
        notes=(Note("caution", OUTPUT),),
    )


def _spoil(samples: Path) -> None:
    rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["resps"] = [[text + OUTPUT for text in texts] for texts in row["resps"]]
        if row["filter"] == "raw":
            row["filtered_resps"] = [texts[0] for texts in row["resps"]]
    write_rows(samples, rows)
