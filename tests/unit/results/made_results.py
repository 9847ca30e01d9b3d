"""A small valid results folder, exported for real from run folders that were made without a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.results.write import Request, export_results
from lm_eval_sensitivity.runs import Runs, load_runs
from lm_eval_sensitivity.statements import signature
from tests.unit.runs.made_answers import make_answers
from tests.unit.runs.made_run import make_run

RUNGS = ("identical", "noop", "synonym", "positive_control")
SETTINGS = {"resamples": 999, "draws": 999, "seed": 0}
NASTY_NAMES = (
    "../../x",
    "<b>x</b>",
    "a \u202ereversed\u202c name",
    "plain",
)
"""Names that are legal in a results folder: nobody may use them as a path or as markup."""


@dataclass(frozen=True)
class MadeRuns:
    """Run folders, and what was loaded from them."""

    folders: tuple[Path, ...]
    pairs: Runs


def make_runs(
    home: Path, n: int = len(NASTY_NAMES), *, rungs: Sequence[str] = RUNGS, **options: Any
) -> MadeRuns:
    """Runs of systems of other models; the first is the reference of the others' drift.

    Args:
        home: where.
        n: systems.
        rungs: of each.
        **options: of `make_run`.
    """
    folders = []
    fingerprint = None
    for at in range(n):
        run = make_run(
            home / f"run{at}",
            rungs=rungs,
            model=f"org/Model-{at}",
            identity={"weights": f"{at:02d}" * 32},
            seed=at,
            drift_from=fingerprint,
            **options,
        )
        if fingerprint is None:
            content = json.loads(run.results.read_text(encoding="utf-8"))
            first = next(iter(content["configs"].values()))
            fingerprint = first["metadata"]["sensitivity"]["system"]
        folders.append(run.folder)
    return MadeRuns(tuple(folders), load_runs(folders))


def renamed(pairs: Runs, names: Mapping[str, str]) -> Runs:
    """The same runs under other display names."""
    systems = tuple(replace(each, name=names[each.name]) for each in pairs.systems)
    at = SCHEMA.get_field_index("name")
    column = pa.array([names[name] for name in pairs.table["name"].to_pylist()], pa.string())
    table = pairs.table.set_column(at, SCHEMA.field(at), column)
    return replace(pairs, systems=systems, table=table)


def made_request(home: Path, *, with_reference: bool = True) -> Request:
    """The request for a folder of four systems with nasty names, two of them a series."""
    runs = make_runs(home)
    own = [each.name for each in runs.pairs.systems]
    pairs = renamed(runs.pairs, dict(zip(own, NASTY_NAMES, strict=True)))
    return Request(
        pairs,
        reference=pairs.systems[0] if with_reference else None,
        series={"<i>a series</i>": pairs.systems[1:3]},
        signature=signature(pairs, **SETTINGS),
        alpha=0.05,
        folders=runs.folders,
    )


def make_results(home: Path, *, with_reference: bool = True) -> Path:
    """Write a results folder; its systems have `NASTY_NAMES`, system 0 is the reference.

    Args:
        home: an empty folder; runs and results are written below it.
        with_reference: whether there are axes.
    """
    export_results(made_request(home / "runs", with_reference=with_reference), home / "results")
    return home / "results"


HOSTILE = (
    "<script>alert({})</script> & \"quoted\" '{{{{ 7*7 }}}}'?",
    "\u202eWhich of these\u202c is {} \x1b[31mred?",
    "[a](javascript:alert({})) ![x](http://a.test/x.png)?",
)
"""Questions; the numbers of their documents stand in them."""
HOSTILE_CHOICES = ("<img src=x onerror=alert(1)>", "../../etc/passwd", "{{ 7*7 }}", "\u202eevil")


def make_answered(home: Path, **options: Any) -> Path:
    """Write a results folder of two runs of a wrapped task; system 0 is the reference.

    Args:
        home: an empty folder; runs and results are written below it.
        **options: of `make_answers`; questions and choices are hostile where they say nothing else.
    """
    hostile = {"texts": HOSTILE, "choices": HOSTILE_CHOICES, **options}
    runs = [
        make_answers(
            home / f"run{at}",
            model=f"org/<b>M{at}</b>",
            seed=at,
            identity={"weights": f"{at:02d}" * 32},
            **hostile,
        )
        for at in range(2)
    ]
    pairs = load_runs([run.folder for run in runs])
    signed = signature(pairs, **SETTINGS)
    request = Request(pairs, pairs.systems[0], None, signed, 0.05, folders=tuple(run.folder for run in runs))
    export_results(request, home / "results")
    return home / "results"


def make_beside(home: Path) -> Path:
    """Write a results folder of one model that ran the ladder, and two wrapped tasks in calls of their own."""
    make_run(home / "run", rungs=RUNGS)
    make_answers(home / "run")
    make_answers(
        home / "run",
        task="sums",
        filters=("strict", "flexible"),
        choices=("1", "2"),
        date="2026-08-03T10-00-00",
    )
    pairs = load_runs([home / "run"])
    export_results(Request(pairs, None, None, signature(pairs, **SETTINGS), 0.05), home / "results")
    return home / "results"


def edit_manifest(folder: Path, **changes: Any) -> None:
    """Change fields of the manifest by hand."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def declare(folder: Path, name: str, *, rows: int | None = None) -> None:
    """Make the manifest agree with a file that was changed by hand."""
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    data = (folder / name).read_bytes()
    record = {**content["files"][name], "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    if rows is not None:
        record["rows"] = rows
    edit_manifest(folder, files={**content["files"], name: record})
