"""Answers: a task's own score under harmless edits, the answers that change, and one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.ladder.edits.formats import FORMATS
from lm_eval_sensitivity.records.answers import AGAIN, Answered, AnswerRow
from lm_eval_sensitivity.report.documents.flips import LEGEND, SystemAnswers, flips_document
from lm_eval_sensitivity.report.wording.answers import (
    STATUSES,
    closing_of_systems,
    closing_sentences,
    name_in_words,
    noise_in_words,
    reach_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.answers import Of
from lm_eval_sensitivity.space.choices import Choice, address_of, choose_system, system_choice
from lm_eval_sensitivity.space.pieces import marked
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.texts import LONGEST
from lm_eval_sensitivity.space.view import View, plain_table
from lm_eval_sensitivity.text.escape import shown

MOST_DOCUMENTS = 100
"""Of one page."""
SAID_ABOVE = ("system", "task", "filter")
"""Columns of the tables of one system that its heading and the form have."""
BAR_WIDTH = 300
"""Pixels of the drawing of a score; all rows share one scale."""


def show(results: Results, query: Query) -> View:
    """The view of answers.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        One task under one of its filters for all systems, or one answer where the address names one.

    Raises:
        InputError: a damaged file.
    """
    if not results.statements.answers:
        return View(title_of("answers"), "nothing.html", {"what": "answers to tasks"})
    tasks = by_task(results)
    label = query.choice("task", tuple(tasks))
    found = tasks[label]
    ran = [results.places[each.system] for each in found]
    asked = choose_system(query, results, default=ran[0])
    system = asked if asked in ran else ran[0]
    own = found[ran.index(system)].statement
    of, pair = (own.task, own.filter_name), query.given("pair")
    if pair:
        try:
            return show_answer(results, query, system, of, pair)
        except InputError as error:
            query.complaints.append(f"{error} Shown are all documents.")
    named, flipped = address_of(results.systems[system]), results.flipped(system, of)
    return View(
        title_of("answers"),
        "answers.html",
        {
            "findings": closing({label: found}),
            "choices": tuple(_choices(results, tasks, label, system)),
            "rows": found,
            "noise": noise_in_words,
            "reach": reach_in_words,
            "scale": bar_scale(found),
            "bar_width": BAR_WIDTH,
            "cautions_of": {each.system: [*closing_sentences(each.statement)][1:] for each in found},
            "pairs_of": lambda name: query.link(system=address_of(results.systems[results.places[name]])),
            "lacking": results.systems[asked].name if asked != system else "",
            "name": results.systems[system].name,
            "label": label,
            "tables": [
                plain_table(each, SAID_ABOVE)
                for each in flips_document([found[ran.index(system)]]).tables_in("csv")
            ],
            "changed": changed(
                (each for doc_id in flipped[:MOST_DOCUMENTS] if (each := results.answer(system, of, doc_id))),
                lambda doc_id, edit: query.link(task=label, system=named, pair=f"{own.task}/{doc_id}/{edit}"),
            ),
            "n_changed": len(flipped),
            "n_documents": own.n_documents,
            "legend": LEGEND,
            "remarks": results.manifest.remarks,
        },
        lambda: flips_document(found),
    )


def _choices(results: Results, tasks: Collection[str], label: str, system: int) -> Iterator[Choice]:
    """What there are several of."""
    if len(tasks) > 1:
        yield Choice("task", "Task", tuple((each, each) for each in tasks), label)
    if len(results.systems) > 1:
        yield system_choice(results, system)


def by_task(results: Results) -> dict[str, list[SystemAnswers]]:
    """What is said of each task under each of its filters, by its name in words; in each the systems by name."""
    found: dict[str, list[SystemAnswers]] = {}
    for each in results.in_order(results.statements.answers):
        found.setdefault(name_in_words(each.statement), []).append(each)
    return found


def closing(tasks: Mapping[str, Sequence[SystemAnswers]]) -> list[str]:
    """How wrapped tasks are summed up on a first screen, where there is room for one.

    Args:
        tasks: from `by_task`.

    Returns:
        The sentence of the task that white space moves furthest, then how many more tasks there are; empty where no
        task has a score.
    """
    scored = [[each.statement for each in found] for found in tasks.values()]
    scored = [found for found in scored if all(each.scores for each in found)]
    if not scored:
        return []
    furthest = max(scored, key=lambda found: max(each.within for each in found))
    n_more = len(tasks) - 1
    more = [f"{n_more} more task{'s' * (n_more > 1)}."] if n_more else []
    return [closing_of_systems(furthest), *more]


def bar_scale(found: Iterable[SystemAnswers]) -> Scale:
    """One scale for the scores of all rows: unedited, lowest and highest."""
    scores = (each.statement.score for each in found if each.statement.score is not None)
    values = (value for score in scores for value in (score.unedited, score.lowest, score.highest))
    return scale_of(values, 6, BAR_WIDTH - 6)


# ---- documents


@dataclass(frozen=True)
class Changed:
    """A document of which some edit changes the answer."""

    doc_id: int
    question: str
    target: str
    before: str
    after: tuple[tuple[str, str, str], ...]
    """(edit, answer, address of the pair)."""


def changed(rows: Iterable[AnswerRow], link: Callable[[int, str], str]) -> list[Changed]:
    """Documents with the answers that change.

    Args:
        rows: of a task under one filter, in each of which some do.
        link: gives the address of a document and an edit.

    Returns:
        In the order of `rows`.
    """
    return [
        Changed(
            row.doc_id,
            row.unedited.text or "",
            in_words(row, row.target),
            in_words(row, row.unedited.answer),
            tuple(
                (edit, in_words(row, found.answer), link(row.doc_id, edit))
                for edit, found in row.edits.items()
                if row.flip(edit)
            ),
        )
        for row in rows
    ]


def in_words(row: AnswerRow, answer: str | None) -> str:
    """An answer as a reader knows it.

    Args:
        row: of the document.
        answer: number of a choice, or a text.

    Returns:
        With the text of the choice, where it is one.

    Example:
        >>> one = Answered(status="identical", answer="1")
        >>> in_words(AnswerRow(doc_id=0, filter="none", unedited=one, edits={}, choices=("ice", "rain")), "1")
        '1: rain'
    """
    if answer is None:
        return "no answer"
    is_choice = answer.isascii() and answer.isdigit() and len(answer) < 6 and int(answer) < len(row.choices)
    return f"{answer}: {row.choices[int(answer)]}" if is_choice else answer


# ---- one answer


def show_answer(results: Results, query: Query, system: int, of: Of, pair: str) -> View:
    """One document and one edit of it: both answers, and what the task takes for right.

    Args:
        results: from `open_results`.
        query: the address.
        system: its index.
        of: task and filter.
        pair: as in the pairs table: task, document and edit.

    Returns:
        The view.

    Raises:
        InputError: there is no such document or edit, or a damaged file.
    """
    prompt, _, edit = pair.rpartition("/")
    task, _, document = prompt.rpartition("/")
    is_number = document.isascii() and document.isdigit() and len(document) < 10
    row = results.answer(system, of, int(document)) if is_number and task == of[0] else None
    if row is None or edit not in row.edits:
        raise InputError(f"There is no answer {shown(pair)} of this system. Choose one of its documents.")
    found = row.edits[edit]
    base = row.unedited.text or ""
    in_format = edit in FORMATS and AGAIN in row.edits
    if in_format:  # then the whole prompt is edited
        base = row.edits[AGAIN].text or ""
    parts, n_cut = marked(base, found.text or base, LONGEST)
    return View(
        "One answer",
        "answer.html",
        {
            "system": results.systems[system],
            "prompt": prompt,
            "edit": edit,
            "asked": parts,
            "n_cut": n_cut,
            "is_again": edit == AGAIN,
            "in_format": in_format,
            "flip": row.flip(edit),
            "row": row,
            "found": found,
            "target": in_words(row, row.target),
            "before": in_words(row, row.unedited.answer),
            "after": in_words(row, found.answer),
            "is_asked": found.scored or edit == AGAIN,
            "status": STATUSES[found.status],
            "metrics": metrics_of(row.unedited, found),
            "shares": shares_of(row, found),
            "edits": [
                (name, each, row.flip(name), in_words(row, each.answer), query.link(pair=f"{prompt}/{name}"))
                for name, each in row.edits.items()
            ],
            "everything": query.link(pair=None),
        },
    )


def metrics_of(before: Answered, after: Answered) -> list[tuple[str, float | None, float | None]]:
    """The task's metrics of both answers: (metric, before, after)."""
    names = dict.fromkeys((*before.metrics, *after.metrics))
    return [(name, before.metrics.get(name), after.metrics.get(name)) for name in names]


def shares_of(row: AnswerRow, found: Answered) -> list[tuple[str, float | None, float | None]]:
    """How the probability is shared among the choices: (choice, before, after); empty where there are none."""

    def share(answered: Answered, at: int) -> float | None:
        shares = answered.choice_probabilities or ()
        return shares[at] if at < len(shares) else None

    return [
        (f"{at}: {text}", share(row.unedited, at), share(found, at)) for at, text in enumerate(row.choices)
    ]
