"""The finding of a table of clusters: whoever reads nothing else is not misled."""

from __future__ import annotations

import math
from dataclasses import replace

from lm_eval_sensitivity.report.wording.finding import MOST_NAMED, finding_in_words
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.records import ClustersStatement
from lm_eval_sensitivity.stats import Cluster
from tests.unit.space.known import NAMES, clusters, interval

PRIMARY = Selection("cosine_distance", "answer", "meaning_preserving")
KNOWN = clusters(PRIMARY, NAMES)
ALIVE = replace(KNOWN, systems=tuple(replace(row, responsiveness="yes") for row in KNOWN.systems))


def said(found: ClustersStatement, control: ClustersStatement | None = None) -> list[str]:
    return [note.text for note in finding_in_words(found, control)]


def told(found: ClustersStatement, *distinguishable: bool) -> ClustersStatement:
    """The first three systems, with these findings of their contrasts."""
    (one, other, _) = found.contrasts
    names = [(NAMES[0], NAMES[1]), (NAMES[0], NAMES[2]), (NAMES[1], NAMES[2])]
    contrasts = tuple(
        replace(one if yes else other, first=first, second=second, distinguishable=yes)
        for (first, second), yes in zip(names, distinguishable, strict=True)
    )
    return replace(found, systems=found.systems[:3], contrasts=contrasts)


def test_how_far_edits_move_and_beside_what() -> None:
    control = replace(
        KNOWN, systems=tuple(replace(row, mean=interval(0.7, 0.1, 0.1)) for row in KNOWN.systems)
    )
    (first, *_) = said(KNOWN, control)
    assert first == (
        "Harmless edits move the answers of 3 systems by 0.134 to 0.412 in cosine_distance; another request by 0.700."
    )


def test_one_system_has_an_interval_and_nobody_to_differ_from() -> None:
    alone = replace(ALIVE, systems=ALIVE.systems[:1], contrasts=(), clusters=(), family=None)
    assert said(replace(alone, selection=replace(PRIMARY, rung_set="noop", filter_name="raw"))) == [
        f"Edits of the rung noop move an output of {NAMES[0]} by 0.412 in cosine_distance (95 % interval 0.362 to "
        "0.472)."
    ]


def test_without_a_number_nothing_is_found() -> None:
    none = tuple(replace(row, mean=replace(row.mean, estimate=math.nan)) for row in KNOWN.systems)
    assert said(replace(KNOWN, systems=none)) == []


def test_who_differs() -> None:
    assert said(told(ALIVE, False, False, False))[1:] == [
        "No two of them can be told apart, which does not say that they are equal."
    ]
    assert said(told(ALIVE, True, True, True))[1:] == ["Every two of them can be told apart."]
    one = replace(
        told(ALIVE, True, True, False), clusters=(Cluster("a", NAMES[:1]), Cluster("b", NAMES[1:3]))
    )
    assert said(one)[1:] == [f"{NAMES[0]} differs from every other; the others cannot be told apart."]
    middle = replace(
        told(ALIVE, True, False, False),
        clusters=(Cluster("a", (NAMES[0], NAMES[2])), Cluster("b", (NAMES[1], NAMES[2]))),
    )
    assert said(middle)[1:] == ["1 of 3 pairs of systems can be told apart."]
    untested = replace(ALIVE, contrasts=tuple(replace(each, reason="Too few.") for each in ALIVE.contrasts))
    assert said(untested)[1:] == ["No two of them could be compared."]


def test_numbers_of_few_of_the_prompts_are_told_with_their_systems() -> None:
    few = [
        replace(row, counts=replace(row.counts, n_prompts_lost=lost))
        for row, lost in zip(ALIVE.systems, (2, 3, 0, 0), strict=True)
    ]
    assert [words for words in said(replace(ALIVE, systems=tuple(few))) if "prompts)" in words] == [
        f"Only a part of the prompts has a number: {NAMES[1]} (24 of 27 prompts)."
    ], "up to a tenth is no matter"


def test_a_system_that_does_not_respond_is_never_left_out_of_the_first_words() -> None:
    assert (
        said(KNOWN)[-1] == f"Collapsed or indiscriminate: {NAMES[1]}. A low distance there is no stability."
    )
    many = tuple(
        replace(KNOWN.systems[1], system=f"s{at}", responsiveness="no") for at in range(MOST_NAMED + 2)
    )
    assert "s0, s1, s2, s3 and 2 more." in said(replace(KNOWN, systems=many))[-1]
