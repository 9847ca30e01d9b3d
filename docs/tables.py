"""The tables of these pages that are computed: `python docs/tables.py` writes them where they stand.

With `--pictures` it draws `images/floors.png` from the same files, too; where fonts differ, so does the picture.

Each stands between `<!-- computed: name -->` and `<!-- end -->`, and comes from the ladder, from the code or from a
recorded file; tests/docs/test_pages.py holds the pages to them.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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


def panel_systems(limit: str) -> str:
    """Systems of the panel that share a token limit: how far each moves, and its place."""
    found = _recorded("panel_results")[limit]
    rows = []
    for name, system in found["systems"].items():
        verdict = found["verdicts"].get(name)
        control = system["by_rung"]["positive_control"]
        cells = (
            " ".join(system["letters"]),
            _bounds(system["harmless"]),
            f"{control:.2f}",
            _bounds(verdict["drift"]) if verdict else "",
            verdict["label"] if verdict else "the reference",
        )
        rows.append([name, *cells])
    head = ("system", "group", "harmless edits", "another request", "drift", "label")
    return table(head, rows)


def panel_faults(limit: str) -> str:
    """What could fake those numbers."""
    systems = _recorded("panel_results")[limit]["systems"]
    rows = [
        [
            name,
            f"{system['scored']} of {system['pairs']}",
            f"{system['erased']}",
            f"{system['by_rung']['identical']:.3f}",
            f"{100 * system['cut']:.0f} %",
            f"{100 * system['loops']:.0f} %",
            f"{100 * system['unchanged']:.0f} %",
        ]
        for name, system in systems.items()
    ]
    head = (
        "system",
        "pairs scored",
        "erased",
        "noise floor",
        "cut",
        "in a loop",
        "outputs that stayed the same",
    )
    return table(head, rows)


def panel_silence() -> str:
    """A system that often says nothing, beside the same weights behind their template."""
    found = _recorded("panel_results")["96 tokens"]
    rows, prompts = [], found["systems"]["SmolLM2"]["n_prompts"]
    for name in ("SmolLM2", "SmolLM2, no template"):
        system = found["systems"][name]
        cells = (
            f"{system['silent']['prompts']} of {prompts} prompts",
            f"{system['silent']['mean_if_equal']:.2f}",
            f"{system['harmless'][0]:.2f} over {system['n_prompts']} prompts",
            f"{system['scored']} of {system['pairs']}",
            found["verdicts"].get(name, {}).get("label", "the reference"),
        )
        rows.append([name, *cells])
    head = ("system", "no output to", "two empty outputs called equal", "the suite", "pairs scored", "label")
    return table(head, rows)


def panel_confidence() -> str:
    """Rank correlations, over prompts, of what is seen at the prompt's end with what harmless edits move."""
    rows = [
        [
            name,
            f"{end['top1_probability']:.2f}",
            _bounds(system["harmless"]),
            *(
                _bounds(end[f"{column}_with_distance"])
                for column in ("top1_probability", "margin_min", "js_divergence")
            ),
        ]
        for name, system in _recorded("panel_results")["96 tokens"]["systems"].items()
        for end in (system["prompt_end"],)
    ]
    head = (
        "system",
        "first token",
        "harmless edits",
        "first token",
        "smallest margin",
        "divergence at the end",
    )
    return table(head, rows)


def panel_edits() -> str:
    """Mean distance under each harmless edit, and the share of outputs that it leaves as they are."""
    edits = _recorded("panel_results")["96 tokens"]["edits"]
    names = list(next(iter(edits["means"].values())))
    rows = [
        [
            f"`{edit}`",
            f"{edits['prompts'][edit]}",
            *(
                f"{means[name]:.2f} ({100 * still[name]:.0f} %)" if not math.isnan(means[name]) else "erased"
                for name in names
            ),
        ]
        for edit, means in edits["means"].items()
        for still in (edits["unchanged"][edit],)
    ]
    return table(("edit", "prompts", *names), rows)


def panel_likeness() -> str:
    """How alike two systems order edits and prompts."""
    edits = _recorded("panel_results")["96 tokens"]["edits"]
    rows = [
        [both, _bounds(found), _bounds(edits["prompts_rank_correlations"][both])]
        for both, found in edits["rank_correlations"].items()
    ]
    return table(("systems", "of edits", "of prompts"), rows)


def panel_windows() -> str:
    """What more of the output adds."""
    rows = [
        [
            name,
            *(f"{windows[column][0]:.3f}" for column in ("cosine_distance_64", "cosine_distance_128")),
            f"{windows['cosine_distance'][0]:.3f}",
            _bounds(windows["whole_minus_64"], 3),
            _bounds(windows["rank_correlation"]),
            f"{windows['alike_in_64_then_apart']} of {windows['alike_in_64']}",
        ]
        for name, system in _recorded("panel_results")["256 tokens"]["systems"].items()
        for windows in (system["windows"],)
    ]
    head = (
        "system",
        "first 64",
        "first 128",
        "all",
        "all less first 64",
        "rank correlation",
        "alike in 64, then apart",
    )
    return table(head, rows)


def _bounds(interval: Sequence[float], digits: int = 2) -> str:
    estimate, lower, upper = (f"{value:.{digits}f}" for value in interval)
    return f"{estimate} [{lower}, {upper}]"


def kept_floors() -> Iterator[Any]:
    """What `probe bits` kept of some models, with one reader for the table and the picture."""
    from lm_eval_sensitivity.probes.files import codec

    for path in sorted((BENCHMARKS / "bits").glob("*.json")):
        yield codec("bits").load(path.read_bytes(), path.name)


def floors() -> str:
    """Every width of some models, and their floors."""
    from lm_eval_sensitivity.probes.bits.document import reading
    from lm_eval_sensitivity.probes.document import probe_document
    from lm_eval_sensitivity.report.blocks import shown

    parts = []
    for result in kept_floors():
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


def draw_floors() -> None:
    """Static and dynamic floors of these models, in one picture."""
    from lm_eval_sensitivity.probes.catalogue import probe_named
    from lm_eval_sensitivity.report.figures import render

    picture = probe_named("bits").together(list(kept_floors()))
    (DOCS / "images" / "floors.png").write_bytes(render(picture, "kept results in benchmarks/bits").png)


TABLES: dict[str, Callable[[], str]] = {
    "panel systems": lambda: panel_systems("96 tokens"),
    "panel systems of longer outputs": lambda: panel_systems("256 tokens"),
    "panel faults": lambda: panel_faults("96 tokens"),
    "panel silence": panel_silence,
    "panel confidence": panel_confidence,
    "panel edits": panel_edits,
    "panel likeness": panel_likeness,
    "panel windows": panel_windows,
    "panel signatures": lambda: "\n".join(
        f"- {limit}: {found['signature']}." for limit, found in _recorded("panel_results").items()
    ),
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
    if "--pictures" in sys.argv:
        draw_floors()
