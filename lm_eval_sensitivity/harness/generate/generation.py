"""What one generation leaves behind: its text, and the trace that was recorded while it was made.

A `Generation` is a `str`, so filters, sample logging and JSON treat it as any task's output, and
it carries the trace along to the place where a pair is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.audit.pair import UNKNOWN, PairAudit
from lm_eval_sensitivity.metrics import WINDOWS_TOKENS, PromptEnd
from lm_eval_sensitivity.types import AnswerSpan, Channel, Missing

Floats = NDArray[np.float32]
TokenIds = NDArray[np.int32]
Value = TypeVar("Value")

CHANNELS: frozenset[Channel] = frozenset(get_args(Channel))


def given(value: Value | None, channel: Channel) -> Value | Missing:
    """What an engine gave of a channel, or why it is missing: it gives none.

    Returns:
        The value itself, or that the engine gives none of this channel.

    Example:
        >>> str(given(None, "hidden states"))
        'not given: this engine gives no hidden states'
    """
    return Missing("not given", f"this engine gives no {channel}") if value is None else value


@dataclass(frozen=True)
class Trace:
    """What was recorded of one output beside its text. Step t chooses `token_ids[t]`.

    A channel that the engine does not give, or that was not asked for, is None (see `CHANNEL_OF`).
    """

    token_ids: TokenIds
    """[step] chosen ids; an end-of-turn token, where one ended the output, is the last of them."""
    finish_reason: str
    """`end_token`, `stop_string`, `length` (the token limit), `not_finite` (NaN or infinite logits) or `stop`: an end
    token or a stop string, the engine does not say which, and its ids are not among these."""
    visible_text: str
    """The output with special tokens shown and the final end-of-turn token left out."""
    token_bytes: tuple[bytes, ...] | None = None
    """[step] what the engine calls its tokens, where it gives no ids: `token_ids` are then symbols made of these."""
    prompt_token_ids: TokenIds | None = None
    """[prompt position] ids that the model was fed, special tokens included, padding excluded."""
    margins: Floats | None = None
    """[step] largest minus second largest logit (nats); exactly 0 is a tie."""
    top1_log_probabilities: Floats | None = None
    """[step] log-probability of the chosen token (nats)."""
    entropies: Floats | None = None
    """[step] entropy of the next-token distribution (nats)."""
    hidden_mean: Floats | None = None
    """[hidden] mean over steps of the final hidden state (after the last norm)."""
    prompt_end_hidden: Floats | None = None
    """[hidden] final hidden state at the last prompt position."""
    prompt_end_top_ids: TokenIds | None = None
    """[rank] the most probable next tokens after the prompt, best first; what they leave is the rest mass."""
    prompt_end_top_log_probabilities: Floats | None = None
    """[rank] their log-probabilities (nats)."""
    prompt_end_log_probabilities: Floats | None = None
    """[vocabulary] next-token log-probabilities after the prompt; dropped once compared."""

    @property
    def prompt_end_top(self) -> tuple[TokenIds, Floats] | None:
        """The most probable next tokens after the prompt, with their log-probabilities."""
        ids, log_probabilities = self.prompt_end_top_ids, self.prompt_end_top_log_probabilities
        return None if ids is None or log_probabilities is None else (ids, log_probabilities)

    @property
    def cut(self) -> bool:
        """True when the token limit, not the model, ended the output."""
        return self.finish_reason == "length"

    @property
    def content_ids(self) -> TokenIds:
        """[step] the generated ids without the end-of-turn token."""
        return self.token_ids[:-1] if self.finish_reason == "end_token" else self.token_ids

    @property
    def finite(self) -> bool:
        """False when some step had NaN or infinite logits: nothing after it is a decision."""
        return self.finish_reason != "not_finite"


CHANNEL_OF: Mapping[str, Channel] = {
    "margins": "step log-probabilities",
    "top1_log_probabilities": "step log-probabilities",
    "entropies": "step entropies",
    "hidden_mean": "hidden states",
    "prompt_end_hidden": "hidden states",
    "prompt_end_top_ids": "prompt-end log-probabilities",
    "prompt_end_top_log_probabilities": "prompt-end log-probabilities",
    "prompt_end_log_probabilities": "prompt-end distribution",
}
"""Field of a trace -> the channel it comes from; the other fields come with `token ids`."""


def margins_of(top_log_probabilities: ArrayLike) -> Floats:
    """[step] margins from the leading log-probabilities of each step, in any order.

    Args:
        top_log_probabilities: [step, rank] of the two most probable tokens at least.

    Returns:
        [step] nats, from 0 on; 0 is a tie.

    Example:
        >>> margins_of([[-0.5, -1.5, -3.0]]).tolist()
        [1.0]
    """
    ordered = np.sort(np.asarray(top_log_probabilities, np.float32), axis=-1)
    return ordered[:, -1] - ordered[:, -2]


PROMPT_END_TOP = 32
"""How many leading tokens of the prompt-end distribution are kept; whole distributions are too large."""

WINDOWS = WINDOWS_TOKENS
"""Token windows at which every text distance is also taken: what a shorter run would have seen."""


@dataclass(frozen=True)
class View:
    """One way to read an output: the whole of it, or its answer span."""

    text: str
    token_ids: TokenIds | None
    """[step] the generated ids of this view; None where the engine returns text only."""
    window_ends: Mapping[int, int]
    """Window in tokens -> character of `text` at which its first that many tokens end. Empty without ids."""

    def window(self, n_tokens: int) -> str:
        """The beginning of this view, as far as its first tokens reach.

        Args:
            n_tokens: one of the keys of `window_ends`.

        Returns:
            Text; all of it when the view is shorter.
        """
        return self.text[: self.window_ends[n_tokens]]


@dataclass(frozen=True)
class Answer:
    """Where the answer of one output is, in characters of the visible text and in steps."""

    span: AnswerSpan
    view: View | None
    """The answer as scored, white space around it stripped; None when there is no answer."""
    token_start: int | None
    """First step of the answer; None without token ids."""
    token_end: int | None
    """One past the last step of the answer."""


@dataclass(frozen=True)
class SystemFacts:
    """What the engine says about itself, the same for every generation of a run."""

    engine: str
    """Class name of the lm_eval model, for example `HFLM`."""
    identity: dict[str, object] = field(default_factory=dict)
    """Everything that tells this system from another; its hash is the engine part of the fingerprint."""
    notes: dict[str, object] = field(default_factory=dict)
    """What a reader should know about the run but that does not change outputs by itself."""
    in_effect: Mapping[str, Any] = field(default_factory=dict)
    """How outputs were decoded, where that is no part of the identity."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """What was in effect; empty where it is not known."""
        found = self.identity.get("decoding")
        return found if isinstance(found, Mapping) else self.in_effect


@dataclass(frozen=True)
class Output:
    """What an engine made of one item."""

    text: str
    """The output as any lm_eval task would see it: special tokens dropped."""
    trace: Trace | None = None
    """None where the engine gives text only."""
    n_prompt_tokens: int | None = None
    """Tokens of the prompt as whoever generated counted them; None where nobody says."""

    def only(self, channels: Collection[Channel]) -> Output:
        """The same without what comes from other channels.

        Returns:
            An output without a trace where token ids are not among the channels, else with None for what was not asked.
        """
        if self.trace is None or "token ids" not in channels:
            return replace(self, trace=None)
        others: dict[str, Any] = {
            name: None for name, channel in CHANNEL_OF.items() if channel not in channels
        }
        return replace(self, trace=replace(self.trace, **others))


class Generation(str):
    """The output text of one request, with everything that was recorded about it.

    Example:
        >>> generation = Generation("Paris.", raw=View("Paris.", None, {}))
        >>> generation == "Paris.", generation.trace is None
        (True, True)
    """

    raw: View
    answer: Answer | None
    trace: Trace | None
    prompt_end: PromptEnd | None
    audit: PairAudit
    facts: SystemFacts | None
    token_ends: TokenIds | None
    """[step] character of the visible text at which each token ends; None where nobody can tell."""
    obstacle: Missing | None
    """Why nothing may be scored, whatever the text is: of the prompt, and of a variant also of the pair."""
    further: tuple[Generation, ...]
    """Of the variant on the identical rung, its repetitions after the first."""

    def __new__(
        cls,
        text: str,
        *,
        raw: View,
        answer: Answer | None = None,
        trace: Trace | None = None,
        prompt_end: PromptEnd | None = None,
        audit: PairAudit = UNKNOWN,
        facts: SystemFacts | None = None,
        token_ends: TokenIds | None = None,
        obstacle: Missing | None = None,
        further: tuple[Generation, ...] = (),
    ) -> Generation:
        self = super().__new__(cls, text)
        self.raw = raw
        self.answer = answer
        self.trace = trace
        # The two below describe the pair; on a base they compare it with itself and are not used.
        self.prompt_end = prompt_end
        self.audit = audit
        self.facts = facts
        self.token_ends = token_ends
        self.obstacle = obstacle
        self.further = further
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return _as_plain_text(self)


def _as_plain_text(text: str) -> tuple[type[str], tuple[str]]:
    """How both kinds of text are pickled and copied: across ranks and processes only the text travels."""
    return str, (str.__str__(text),)


class FilteredText(str):
    """What a filter shows of a generation: plain text for logging, the generation for measuring.

    Example:
        >>> generation = Generation("Paris.", raw=View("Paris.", None, {}))
        >>> FilteredText(generation, "raw").view is generation.raw
        True
    """

    generation: Generation
    filter_name: str
    view: View | None

    def __new__(cls, generation: Generation, filter_name: str) -> FilteredText:
        answer = generation.answer
        view = generation.raw if filter_name == "raw" else (answer.view if answer is not None else None)
        self = super().__new__(cls, view.text if view is not None else "")
        self.generation = generation
        self.filter_name = filter_name
        self.view = view
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return _as_plain_text(self)
