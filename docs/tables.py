"""The tables of these pages that are computed: `python docs/tables.py` writes them where they stand.

Each stands between `<!-- computed: name -->` and `<!-- end -->`, and comes from the ladder, from the code or from a
recorded file; tests/docs/test_tables.py holds the pages to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.ladder.cost import REPETITIONS, TOKEN_LIMIT, generations
from lm_eval_sensitivity.ladder.load import load_ladder

DOCS = Path(__file__).resolve().parent
BENCHMARKS = DOCS.parent / "benchmarks"
TASKS = {"mini": "_mini", "core": "_core", "spread": "", "full": "_full"}
"""Subset -> end of the group's name."""
MARK = re.compile(r"(<!-- computed: ([a-z ]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of which the first column holds words, the others numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def subsets() -> str:
    """What each group generates."""
    rows = []
    for subset, ending in TASKS.items():
        ladder = load_ladder(subset=subset)
        exact, repeated = (generations(ladder.pairs, repeats) for repeats in (1, REPETITIONS))
        counts = (len(ladder.prompts), len(ladder.pairs), exact, repeated, repeated * TOKEN_LIMIT)
        rows.append([f"`prompt_sensitivity{ending}`", *(f"{count:,}" for count in counts)])
    head = ("group", "prompts", "pairs", "generations", "with three repetitions", "at most so many tokens")
    return table(head, rows)


def cache() -> str:
    """Bytes of the key-value cache of a model whose shape the benchmark knows."""
    from benchmarks.overhead import SHAPES

    shape = SHAPES["qwen3-4b"]
    bytes_per_token = 2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * shape["head_dim"] * 2
    batch = 64 * 600 * bytes_per_token
    row = ["`qwen3-4b` in bfloat16", f"{bytes_per_token / 1024:.0f} KiB", f"{batch / 2**30:.1f} GiB"]
    return table(("model", "cache per token", "of 64 sequences of 600 tokens"), [row])


def overhead() -> str:
    """What the suite costs beside plain generation."""
    plain = "this suite / plain `model.generate` over the same distinct prompts"
    ways = (
        ("overhead_cpu", "suite_over_generate", plain),
        ("overhead_smollm2", "suite_over_generate", "the same of SmolLM2-135M-Instruct, at most 256 tokens"),
        (
            "overhead_cpu",
            "by_hand_over_suite",
            "each pair by hand with scores and hidden states / this suite",
        ),
    )
    rows = [
        [words, *(f"{_recorded(file)[f'{of}_{what}']:.2f}" for what in ("wall_time", "peak_memory"))]
        for file, of, words in ways
    ]
    return table(("", "time", "peak memory"), rows)


def real_distances() -> str:
    """Distances of a real model and of its rounded copies."""
    rows = []
    for system in _recorded("real_runs")["spread"]["systems"]:
        mean, lower, upper = system["mean"]
        verdict = system.get("verdict")
        control = verdict["means"][0] if verdict else _control_of_the_reference()
        words = verdict["label"] if verdict else "the reference"
        cells = (
            f"{mean:.2f}",
            f"{lower:.2f} to {upper:.2f}",
            f"{control:.2f}",
            f"{100 * mean / control:.0f} %",
            words,
        )
        rows.append([system["system"], *cells])
    head = ("system", "harmless edits", "95 % interval", "another request", "share", "label")
    return table(head, rows)


def _control_of_the_reference() -> float:
    """It stands with the systems that are held against it."""
    systems = _recorded("real_runs")["spread"]["systems"]
    return float(next(each["verdict"]["means"][1] for each in systems if "verdict" in each))


def page() -> str:
    """Folders that were exported, and the first view over them."""
    found = _recorded("space")
    rows = []
    for name, folder in found["folders"].items():
        what = f"{folder['systems']} systems, {folder['pairs']:,} pairs"
        first_view = f"{found['first_view'][name]['bytes'] / 1e3:.0f} kB"
        rows.append(
            [what, f"{folder['bytes'] / 1e6:.1f} MB", f"{folder['export_seconds']:.0f} s", first_view]
        )
    return table(("exported", "folder", "took, on one core", "first view of the page"), rows)


def floors() -> str:
    """Every width of some models, and their floors, as `probe bits` keeps them."""
    from lm_eval_sensitivity.probes.bits.document import reading
    from lm_eval_sensitivity.probes.document import probe_document
    from lm_eval_sensitivity.probes.files import codec
    from lm_eval_sensitivity.report.blocks import shown

    parts = []
    for path in sorted((BENCHMARKS / "bits").glob("*.json")):
        result = codec("bits").load(path.read_bytes(), path.name)
        static, dynamic = probe_document([result]).tables_in("markdown")[:2]
        columns = (*static.columns, *dynamic.columns[1:])
        rows = [(*one, *two[1:]) for one, two in zip(static.rows, dynamic.rows, strict=True)]
        text = table(
            [column.name for column in columns],
            [[shown(*each) for each in zip(row, columns, strict=True)] for row in rows],
        )
        said = " ".join(reading(result.finding, float(result.settings["tolerance"])))
        n = result.finding.axes(result.finding.reference).preserving.mean.n
        parts.append(f"**{result.name}**, {n} prompts. {said}\n\n{text}")
    return "\n\n".join(parts)


TABLES: dict[str, Callable[[], str]] = {
    "subsets": subsets,
    "cache": cache,
    "overhead": overhead,
    "real distances": real_distances,
    "page": page,
    "floors": floors,
}


def with_tables(text: str) -> str:
    """A page with its computed tables made anew."""
    return MARK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def _recorded(name: str) -> Any:
    return json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    for path in sorted((*DOCS.glob("*.md"), *DOCS.glob("probes/*.md"))):
        text = path.read_text(encoding="utf-8")
        path.write_text(with_tables(text), encoding="utf-8")
