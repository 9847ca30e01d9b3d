"""The document of a probe: what it found, how far the replay can be trusted, and what it must not be read as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lm_eval_sensitivity.probes.catalogue import NAMES, Probe, probe_named
from lm_eval_sensitivity.probes.files import kept_results
from lm_eval_sensitivity.probes.result import Agreement, Conditions, ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Document, ResultTable
from lm_eval_sensitivity.report.documents.report import Further
from lm_eval_sensitivity.report.figures import NotDrawn, Picture
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.types import Note

_MANY = 1e-3
"""Nats: a replay in the run's own arithmetic differs by less."""


def probe_document(results: Sequence[ProbeResult[Any]]) -> Document:
    """The document of one probe over some systems.

    Args:
        results: of one probe, one or more systems.

    Returns:
        Of each system its sentence, tables and cautions; where there are several, what compares them; and once what
        none of it must be read as.
    """
    probe = probe_named(results[0].probe)
    several = len(results) > 1
    parts = [part for each in results for part in probe_parts(each, probe, named=several)]
    if several and probe.comparison is not None:
        parts += probe.comparison(results)
    return Document(probe.title, (*parts, warning(probe)), {"probes": list(results)})


def probe_parts(result: ProbeResult[Any], probe: Probe[Any], *, named: bool) -> list[Block]:
    """One system: what was found, then how it was computed.

    Args:
        result: of the probe.
        probe: from the catalogue.
        named: say first whose numbers these are.
    """
    first = [f"{result.name}:"] if named else []
    parts = (
        *first,
        *probe.document(result),
        *result.notes,
        *agreement_in_words(result.agreement, result.conditions),
        conditions_in_words(result),
    )
    return list(map(_printable, parts))


def _printable(block: Block) -> Block:
    """The same, with nothing in it that a terminal would obey: a result may come from a stranger."""
    if isinstance(block, str):
        return inert(block)
    if not isinstance(block, ResultTable):
        return replace(block, text=inert(block.text))
    rows = tuple(tuple(inert(cell) if isinstance(cell, str) else cell for cell in row) for row in block.rows)
    return replace(block, title=inert(block.title), rows=rows, note=inert(block.note))


def probe_sections(systems: Sequence[System]) -> list[Further]:
    """Of each probe that a run holds a result of, a section for a report.

    Args:
        systems: from `load_runs`.

    Returns:
        In the order of `NAMES`; systems in the order of letters, each with its picture.

    Raises:
        InputError: a result that is damaged.
    """
    kept = [kept_results(system) for system in sorted(systems, key=lambda system: system.name)]
    sections = []
    for name in NAMES:
        results = [each[name] for each in kept if name in each]
        if results:
            parts = [*_with_pictures(results), *probe_document(results).parts]
            sections.append(Further(probe_named(name).title, f"Probe: {name}", tuple(parts)))
    return sections


def _with_pictures(results: Sequence[ProbeResult[Any]]) -> Iterator[Picture | NotDrawn]:
    """Named after the probe, and numbered where several systems have one each."""
    together = probe_named(results[0].probe).together
    if together is not None:
        yield replace(together(results), name=f"probe_{results[0].probe}")
        return
    for number, result in enumerate(results, 1):
        picture = probe_named(result.probe).picture(result)
        several = len(results) > 1
        title = f"{picture.title}: {result.name}" if several else picture.title
        yield replace(picture, name=f"probe_{result.probe}{f'_{number}' if several else ''}", title=title)


def agreement_in_words(agreement: Agreement, conditions: Conditions) -> Iterator[Note]:
    """How far the replay is from what was generated.

    Returns:
        One sentence; a caution where it is further than rounding.
    """
    if not agreement.n_steps:
        return
    exact = agreement.n_same == agreement.n_steps
    known = not math.isnan(agreement.largest_margin_difference)
    away = f"; margins differ by at most {agreement.largest_margin_difference:.1g} nats" if known else ""
    near = exact and not (known and agreement.largest_margin_difference > _MANY)
    yield Note(
        "method" if near else "caution",
        f"The replay chooses the generated token at {agreement.n_same} of {agreement.n_steps} steps{away}."
        + ("" if near else f" {_why(conditions)}"),
    )


def _why(conditions: Conditions) -> str:
    if conditions.dtype != "float32" or conditions.upcast:
        return (
            f"Weights are {conditions.dtype}{' computed in float32' if conditions.upcast else ''}, and another batch "
            "rounds otherwise: what differs here is the arithmetic, not the model."
        )
    return "In float32 they should be equal: the run was made in another arithmetic, or by another engine."


def conditions_in_words(result: ProbeResult[Any]) -> Note:
    """What the numbers were computed with, in one line."""
    found = result.conditions
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items() if value != "")
    return Note(
        "signature",
        f"{found.architecture}, {found.n_layers} layers, width {found.width}, vocabulary {found.vocabulary}, "
        f"{found.normalization}, {found.dtype}{' upcast' if found.upcast else ''}, {found.device}, {found.attention} "
        f"attention; torch {found.torch}, transformers {found.transformers}, lm-eval-sensitivity {found.package}"
        f"{'; ' if settings else ''}{settings}.",
    )


def warning(probe: Probe[Any]) -> Note:
    """What must not be read out of a probe."""
    return Note("method", f"Not to be read as: {'; '.join(probe.not_to_be_read_as)}.")
