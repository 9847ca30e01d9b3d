"""Frozen records that travel between the steps of the experiment. Their field docs are the glossary.

Nothing here imports another module of the package, torch or lm_eval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rung = Literal[
    "identical",
    "noop",
    "punctuation",
    "synonym",
    "paraphrase",
    "semantic_change",
    "positive_control",
]

RUNGS: tuple[Rung, ...] = (
    "identical",
    "noop",
    "punctuation",
    "synonym",
    "paraphrase",
    "semantic_change",
    "positive_control",
)
"""The seven rungs, mildest first. These strings are the rung ids everywhere."""

MEANING_PRESERVING_RUNGS: tuple[Rung, ...] = ("noop", "punctuation", "synonym", "paraphrase")
"""Rungs whose variant asks for the same answer as its base. `identical` is the noise floor, not one of them."""

Category = Literal[
    "instructions_code",
    "reasoning_math",
    "factual",
    "scientific_explanation",
    "creative_writing",
    "advice_recommendation",
    "uncategorized",
]

CATEGORIES: tuple[Category, ...] = (
    "instructions_code",
    "reasoning_math",
    "factual",
    "scientific_explanation",
    "creative_writing",
    "advice_recommendation",
)
"""The six categories of the published ladder's base prompts."""

UNCATEGORIZED: Category = "uncategorized"
"""Category of prompts that nobody put into one of the six, as people's own prompts often are."""

Origin = Literal["rule", "authored"]


@dataclass(frozen=True)
class Replacement:
    """One contiguous change of a text: `text[start:end]` becomes `replacement`.

    Offsets are characters (Python code points) of the base text, half-open.
    """

    start: int
    """First replaced character of the base."""
    end: int
    """One past the last replaced character of the base; equal to `start` for an insertion."""
    replacement: str
    """What stands there in the variant; empty for a deletion."""


@dataclass(frozen=True)
class Pair:
    """One base prompt and one edited variant of it: a row of the ladder and the unit of generation."""

    pair_id: str
    """Unique: `<prompt_id>/<edit>`."""
    prompt_id: str
    """Names the base prompt. The prompt, not the pair, is the unit of every statistic."""
    category: Category
    rung: Rung
    rung_index: int
    """Position of the rung in `RUNGS`, 0 to 6."""
    edit: str
    """Edit id, for example `trailing_space` or `paraphrase_1`. The edit class of the statistics."""
    base: str
    variant: str
    meaning_preserving: bool
    """True where a careful person would give both prompts the same answer (identical included)."""
    origin: Origin
    reason: str
    """Why an authored variant is on its rung; empty for rule edits."""
    replacements: tuple[Replacement, ...]
    """Applied to `base` from the last to the first, they give `variant`. Sorted, not overlapping."""
    ladder_version: str


@dataclass(frozen=True)
class AnswerSpan:
    """Where the answer stands in one output, after the reasoning scaffold.

    Offsets are characters of the output text that was examined (special tokens visible where the
    engine lets us see them).
    """

    status: Literal["none", "closed", "unclosed", "empty_answer"]
    """`none`: no scaffold, the whole output is the answer. `closed`: a scaffold and an answer after it.
    `unclosed`: the scaffold never ends, there is no answer to score. `empty_answer`: the scaffold ends
    and nothing follows."""
    scaffold: str | None
    """Name of the scaffold in the table of known ones, `shared_preamble` for a detected one, else None."""
    start: int
    """First character of the answer (after white space that follows a scaffold)."""
    end: int
    """One past the last character of the answer; equal to `start` when there is none."""


Channel = Literal[
    "text",
    "token ids",
    "step log-probabilities",
    "step entropies",
    "prompt-end log-probabilities",
    "prompt-end distribution",
    "hidden states",
]
"""What an engine can give of one output, and what a metric or a probe asks for by name.

`step log-probabilities`: the most probable tokens of every generated step. `step entropies`: of the distribution over
all tokens there. `prompt-end log-probabilities`: the most probable first tokens. `prompt-end distribution`: all of
them. What an engine lacks is missing with a reason.
"""

NoteKind = Literal["caution", "finding", "reason", "remark", "method", "left_out", "signature"]


@dataclass(frozen=True)
class Note:
    """A sentence to the user. The program asks for `kind` and `about`, and never reads `text`.

    Example:
        >>> str(Note("caution", "Only 3 prompts were measured.", about=("my_model", "noop")))
        'Only 3 prompts were measured.'
    """

    kind: NoteKind
    """`caution`: what could fake a number. `finding`: what the numbers say. `reason`: why something is missing.
    `remark`: what a reader should know about the files that were read. `method`: how it was computed.
    `left_out`: what was not used. `signature`: what the computation depends on, in one line."""
    text: str
    """Whole sentences, escaped by whoever shows them."""
    about: tuple[str, ...] = ()
    """What it is about, for example a system and a rung; empty for the whole."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Missing:
    """Why a number is not there.

    Example:
        >>> str(Missing("erased", "the edit does not reach the token ids"))
        'erased: the edit does not reach the token ids'
    """

    kind: str
    """In a word or two, what counts are made of: `erased`, `unclosed`, `not given`, ..."""
    detail: str = ""
    """The rest of the sentence."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind

    @classmethod
    def from_text(cls, text: str) -> Missing:
        """The reason that a file holds as one text, `kind: detail`.

        Args:
            text: `kind: detail`, or a kind alone.

        Returns:
            The reason; a text without `: ` is all kind.

        Example:
            >>> Missing.from_text("unclosed: the scaffold of the base never ends")
            Missing(kind='unclosed', detail='the scaffold of the base never ends')
        """
        kind, _, detail = text.partition(": ")
        return cls(kind, detail)


NOT_CONSTANT = Missing(
    "template not constant", "the chat template gives other tokens each time it is rendered"
)
"""Why a pair is not scored whose prompts differ by more than its edit."""

ON_THE_WAY = ("cut", "lost", NOT_CONSTANT.kind)
"""Kinds of reasons that are known of a prompt before it is answered, and cannot be found out afterwards."""

FORBIDDING = ("erased", *ON_THE_WAY, "not finite")
"""Kinds of reasons that forbid every number of a pair: what was answered says nothing about its edit."""
