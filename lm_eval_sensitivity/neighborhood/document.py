"""How the findings of one prompt are shown: a table for terminals, Markdown, JSON.

Prompts and outputs are strangers' data. `visible` makes them inert: nothing in them can move a cursor,
reorder a line or become markup. In JSON they are whole, escaped to ASCII.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lm_eval_sensitivity.neighborhood.findings import METRIC, Divergence, Findings, Variant
from lm_eval_sensitivity.neighborhood.verdict import Check, cautions, shown_distance, verdict
from lm_eval_sensitivity.text.format import to_json
from lm_eval_sensitivity.text.visible import ELLIPSIS, shortened, shown_change, visible

MARK = "►"
"""Stands where the two outputs that are shown first differ."""
BEFORE_DIVERGENCE, AFTER_DIVERGENCE = 80, 280
"""Characters of an output that are shown around its first divergence."""
PROMPT_SHOWN = 240
NARROWEST = 76
"""Columns below which the table would lose its cells; a narrower terminal wraps the lines instead."""


def shown_divergence(divergence: Divergence, *, scored: bool) -> str:
    """Where two outputs part, in tokens where there are any."""
    if not scored:
        return "-"
    if divergence.token is not None:
        return f"token {divergence.token}"
    if divergence.character is not None:
        return f"char {divergence.character}"
    return "not yet" if divergence.censored else "never"


def shown_output(text: str, divergence: int | None, flags: Sequence[str]) -> tuple[str, str]:
    """An output before and from its first divergence, cropped and inert.

    Args:
        text: the output.
        divergence: character at which it parts from the other one; None shows its beginning.
        flags: shown where the text is empty, because nothing else is left to see.
    """
    if not text:
        return f"(no text{': ' + ', '.join(flags) if flags else ''})", ""
    at = divergence or 0
    start, end = max(0, at - BEFORE_DIVERGENCE), at + AFTER_DIVERGENCE
    before = (ELLIPSIS if start else "") + visible(text[start:at])
    after = visible(text[at:end]) + (ELLIPSIS if end < len(text) else "")
    return before, after


# ---- what all forms have in common


def _numbers(findings: Findings) -> list[str]:
    """Range, counts and noise floor, one line each."""
    spread, missing = findings.spread, findings.noise.missing
    counts = (
        f"{len(findings.scored)} scored, {len(findings.erased)} erased, {findings.n_unscored} unscored of "
        f"{len(findings.meaning_preserving)}"
    )
    lines = [f"Meaning-preserving: no distance ({counts})."]
    if spread is not None:
        smallest, median, largest = map(shown_distance, (spread.smallest, spread.median, spread.largest))
        lines = [f"Meaning-preserving: {smallest} to {largest}, median {median} ({counts})."]
    floor = shown_distance(findings.noise_floor) if missing is None else f"not known ({missing})"
    # Batch noise flips a near tie or it does not: one repetition without a difference is weak evidence.
    once = (
        " One repetition that agrees does not prove that there is no noise."
        if findings.noise_floor == 0
        else ""
    )
    return [*lines, f"Noise floor (the same prompt twice): {floor}.{once}"]


def _reasons(findings: Findings) -> list[str]:
    """Each reason for a missing distance with its edits; the erased ones are among the cautions."""
    edits: dict[str, list[str]] = {}
    for each in findings.variants:
        if each.missing is not None and each.reached != "erased":
            edits.setdefault(each.missing, []).append(each.edit)
    return [f"{', '.join(names)}: {reason}." for reason, names in edits.items()]


def _signature(findings: Findings) -> str:
    """What the numbers depend on, in one line."""
    run = findings.run
    notes, decoding, embedder = (run.get(name) or {} for name in ("notes", "decoding", "embedder"))
    parts = [
        f"{METRIC}, filter {findings.filter_name}",
        f"system {run.get('system')}",
        f"greedy, at most {decoding.get('max_gen_toks')} tokens",
        *([f"batch size {notes['batch_size']}"] if "batch_size" in notes else []),
        f"embedder {embedder.get('name')}",
        f"lm-eval-sensitivity {run.get('package_version')}",
    ]
    return visible("; ".join(parts))


def _pair_to_show(findings: Findings) -> Variant | None:
    """The variant whose output is shown beside the base's; None where no output moved."""
    furthest = findings.furthest
    return furthest if furthest is not None and furthest.divergence.character is not None else None


_CAPTION = (
    f"change: [+inserted], [-deleted], [old→new]; · is a space, ⏎ a line break. distance: {METRIC} of the "
    "outputs, from 0 (same) to 2. parts at: where the outputs first differ, counted from 0; not yet: equal up "
    "to the token limit."
)


# ---- JSON


def as_json(findings: Findings, check: Check | None) -> str:
    """Everything, whole; numbers as in the samples, and null where there is none."""
    spread, furthest = findings.spread, findings.furthest
    content = {
        "schema_version": 1,
        "prompt": findings.prompt,
        "metric": METRIC,
        "filter": findings.filter_name,
        "noise_floor": findings.noise_floor,
        "noise_floor_missing": findings.noise.missing,
        "meaning_preserving": {
            "n_variants": len(findings.meaning_preserving),
            "n_scored": len(findings.scored),
            "n_erased": len(findings.erased),
            "n_unscored": findings.n_unscored,
            "range": None if spread is None else asdict(spread),
            "furthest": None if furthest is None else furthest.edit,
        },
        "verdict": verdict(findings),
        "cautions": cautions(findings),
        "check": None if check is None else asdict(check),
        "base": {"output": findings.base_output, "flags": findings.base_flags},
        "variants": [_variant_record(findings.prompt, each) for each in findings.variants],
        "run": findings.run,
    }
    return json.dumps(to_json(content), indent=2, ensure_ascii=True) + "\n"


def _variant_record(prompt: str, variant: Variant) -> dict[str, Any]:
    return {
        "edit": variant.edit,
        "rung": variant.rung,
        "variant": variant.text,
        "change": shown_change(prompt, variant.replacements),
        "audit": asdict(variant.audit),
        METRIC: variant.distance,
        "missing": variant.missing,
        "first_divergence": asdict(variant.divergence),
        "output": variant.output,
        "flags": variant.flags,
    }


# ---- Markdown


def as_markdown(findings: Findings, check: Check | None) -> str:
    """A report for an issue or a pull request; outputs stand in code blocks, where nothing is markup."""
    lines = ["# Neighbourhood of one prompt", "", *_fenced(visible(findings.prompt)), ""]
    lines += [
        "| rung | edit | change | reached | distance | parts at |",
        "|---|---|---|---|---:|---|",
    ]
    for each in findings.variants:
        change = _code(shown_change(findings.prompt, each.replacements))
        divergence = shown_divergence(each.divergence, scored=each.distance is not None)
        cells = (each.rung, each.edit, change, each.reached, shown_distance(each.distance), divergence)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", _CAPTION, ""]
    lines += [f"**{verdict(findings)}**", "", *(f"- {line}" for line in _numbers(findings))]
    lines += [f"- {line}" for line in (*_reasons(findings), *cautions(findings))]
    if check is not None:
        lines.append(f"- Check {check.status}: {check.message}")
    lines.append("")
    for title, before, after in _shown_outputs(findings):
        lines += [f"{title}:", "", *_fenced(before + after), ""]
    return "\n".join([*lines, _signature(findings)]) + "\n"


def _fenced(text: str) -> list[str]:
    fence = "`" * max(3, 1 + _longest_run(text, "`"))
    return [f"{fence}text", text, fence]


def _code(text: str) -> str:
    """A code span inside a table cell: the bar has to be escaped even there."""
    ticks = "`" * (1 + _longest_run(text, "`"))
    return f"{ticks} {text.replace('|', chr(92) + '|')} {ticks}"


def _longest_run(text: str, character: str) -> int:
    longest = run = 0
    for each in text:
        run = run + 1 if each == character else 0
        longest = max(longest, run)
    return longest


def _shown_outputs(findings: Findings) -> Iterator[tuple[str, str, str]]:
    """(title, text before the first divergence, mark and text after it) of one or two outputs."""
    other = _pair_to_show(findings)
    if other is None:
        yield "Output to the base prompt", *shown_output(findings.base_output, None, findings.base_flags)
        return
    at = other.divergence.character
    for title, text, flags in (
        ("Output to the base prompt", findings.base_output, findings.base_flags),
        (f"Output to {other.edit} ({shown_distance(other.distance)})", other.output, other.flags),
    ):
        before, after = shown_output(text, at, flags)
        yield title, before, MARK + after


# ---- terminal


def as_table(findings: Findings, check: Check | None, *, width: int, colour: bool) -> str:
    """A report for a terminal of `width` columns."""
    from rich.console import Console
    from rich.text import Text

    text = io.StringIO()
    console = Console(
        file=text,
        width=max(width, NARROWEST),
        force_terminal=colour,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.print(Text(f"Prompt: {visible(shortened(findings.prompt, PROMPT_SHOWN))}"))
    console.print(_variants_table(findings))
    console.print(Text(_CAPTION, style="dim"))
    console.print()
    console.print(Text(verdict(findings), style="bold"))
    for line in (*_numbers(findings), *_reasons(findings), *cautions(findings)):
        console.print(Text(line))
    console.print(_outputs_table(findings))
    if check is not None:
        console.print(Text(f"Check {check.status}: {check.message}", style="bold"))
    console.print(Text(_signature(findings), style="dim"))
    # Cells are padded to the width; trailing spaces are a nuisance in files.
    return "".join(line.rstrip() + "\n" for line in text.getvalue().split("\n"))[:-1]


def _variants_table(findings: Findings) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("edit, by rung", no_wrap=True)
    table.add_column("change", overflow="fold", ratio=1)
    for heading, justify in (("reached", "left"), ("distance", "right"), ("parts at", "left")):
        table.add_column(heading, no_wrap=True, justify=justify)  # type: ignore[arg-type]  # literals
    rung = None
    for each in findings.variants:
        alone = each.edit == each.rung  # the identical rung is its only edit
        if each.rung != rung and not alone:
            table.add_row(Text(each.rung, style="bold"))
        rung = each.rung
        table.add_row(
            Text(each.edit, style="bold") if alone else Text(f"  {each.edit}"),
            Text(shown_change(findings.prompt, each.replacements)),
            Text(each.reached),
            Text(shown_distance(each.distance)),
            Text(shown_divergence(each.divergence, scored=each.distance is not None)),
        )
    return table


def _outputs_table(findings: Findings) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = list(_shown_outputs(findings))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    if len(shown) > 1:
        table.caption = Text(f"The two outputs that differ most; {MARK} marks the first difference.", "dim")
    for title, _, _ in shown:
        table.add_column(Text(title), overflow="fold", ratio=1)
    table.add_row(*(Text.assemble(before, (after[:1], "reverse"), after[1:]) for _, before, after in shown))
    return table
