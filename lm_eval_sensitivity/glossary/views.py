"""The ways to look at runs. A command, a page and a section of a report that show the same thing have one name."""

from __future__ import annotations

from lm_eval_sensitivity.glossary.terms import Term, by_name

VIEWS = by_name(
    (
        Term(
            "summary",
            "One run in at most 15 lines: what moved, what could fake it, what to do next.",
            "Summary",
        ),
        Term("answers", "What harmless edits do to the answers and the score of a task.", "Answers"),
        Term("clusters", "Which systems can be told apart, and which cannot.", "Clusters"),
        Term(
            "drift",
            "How far harmless edits move a system, and how far it is from a reference.",
            "Drift",
        ),
        Term("heatmap", "Every edit beside every system.", "Heatmap"),
        Term("pairs", "Every pair of prompts, with both outputs.", "Pairs"),
        Term("length", "Distance by how much of the output is read.", "Length"),
        Term("compare", "Two systems side by side, with the difference taken apart.", "Compare"),
        Term("rungs", "Distance along the ladder, from no edit to another request.", "Rungs"),
        Term("disagreement", "Distance of meanings against distance of tokens.", "Disagreement"),
        Term("token_paths", "How two outputs part, token by token.", "Token paths"),
        Term("margins", "How sure a system was where its outputs part.", "Margins"),
        Term("probes", "What happens inside a model while it is fed what it said.", "Probes"),
        Term("neighborhood", "One prompt, and how far small edits of it move the output.", "Neighborhood"),
        Term("audit", "Which edits reach a tokenizer, before any model runs.", "Audit"),
        Term("learn", "The idea in three steps, with pictures that move.", "Learn"),
        Term("method", "How the numbers were computed, and the files to download.", "Method"),
    )
)
"""By the name of the command where there is one."""


def title_of(view: str) -> str:
    """The heading of a view, wherever it stands.

    Args:
        view: one of `VIEWS`.

    Returns:
        Its name and what it shows, without a full stop.

    Example:
        >>> title_of("clusters")
        'Clusters: which systems can be told apart, and which cannot'
    """
    term = VIEWS[view]
    said = term.meaning.split(". ")[0].rstrip(".")
    return f"{term.title}: {said[0].lower()}{said[1:]}"
