"""What an engine is: who it is, how it reads a prompt, and which channels it gives of an output.

A new engine is one file of this folder, named like the module of `lm_eval.models` that it serves, with one class
under `register` (see `registry`). Plan, order, batches, store, comparisons and audit are shared (see `run`).
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import Output
from lm_eval_sensitivity.harness.generate.views import Decode, decoder_of
from lm_eval_sensitivity.types import Channel

Prompt = tuple[int, ...] | str
"""Token ids of a prompt; its text where the engine does not show them."""


@dataclass(frozen=True)
class Request:
    """One output that an engine is asked for."""

    context: Any
    """The rendered prompt, as lm_eval hands it to its engines (see `context_text`)."""
    token_ids: Sequence[int] | None
    """[position] what the engine's `encode` made of it."""
    replicate: int
    """Tells several outputs of one prompt apart."""
    of_base: bool
    """Whether some pair has this prompt as its base."""
    arrived: Callable[[Output], object]
    """Takes an answer in at once, where answers come one by one: a run that breaks off pays for none twice."""


class BatchTooLargeError(Exception):
    """A batch did not fit into memory; a smaller one may."""


class Engine(ABC):
    """A loaded model and what can be seen of its outputs.

    Args:
        lm: the model as lm_eval made it.
        model_args: the run's `--model_args`.
    """

    gives: frozenset[Channel] = frozenset({"text"})
    """What of its outputs it can give."""
    cuts_reasoning = True
    """Whether outputs come from a method of lm_eval's, which cuts off the reasoning that the user marked."""

    def __init__(self, lm: Any, model_args: Mapping[str, str]) -> None:
        self.lm = lm
        self.model_args = model_args

    @abstractmethod
    def identity(self, decoding: Decoding) -> dict[str, object]:
        """What tells this system from another. Asked in `ready`.

        Returns:
            All that outputs depend on, `decoding` among it, as plain values.
        """

    @abstractmethod
    def generate(
        self, batch: Sequence[Request], decoding: Decoding, channels: Collection[Channel]
    ) -> list[Output]:
        """[request] outputs.

        Args:
            batch: no two of the same prompt and replicate.
            decoding: token limit, stop strings; a `SampledDecoding` where samples are wanted.
            channels: what is needed of the outputs, of those that the engine `gives`.

        Returns:
            [request] in the order of the batch.

        Raises:
            BatchTooLargeError: it did not fit into memory.
        """

    @classmethod
    def can_serve(cls, lm: Any) -> bool:
        """Whether this engine would measure a model of the registered class faithfully.

        Returns:
            False to leave the model to the engine of a base class, or to text only.
        """
        return True

    def encode(self, context: Any) -> list[int] | None:
        """The token ids that the model is fed.

        Args:
            context: as in `Request`.

        Returns:
            [position] token ids, or None where the engine does not show them.
        """
        return None

    def check_scoring(self) -> None:
        """Asked before choices are scored by their log-likelihood through lm_eval.

        Raises:
            InputError: those that this engine gives would be others, or change from call to call.
        """
        return

    def ready(self, decoding: Decoding) -> contextlib.AbstractContextManager[object]:
        """For the time of the block nothing but `decoding` decides how outputs are made.

        Returns:
            A context to generate in; on leaving it the model is as it was.
        """
        return contextlib.nullcontext()

    def notes(self) -> dict[str, object]:
        """What a reader should know about the run but that does not change outputs by itself.

        Returns:
            Plain values by name, which stand in the results file.
        """
        return {}

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer that prompts are fed through, or None."""
        return None

    @property
    def model(self) -> Any:
        """The transformers model that a replay can feed, or None where the engine shows none."""
        return None

    @property
    def decode(self) -> Decode | None:
        """Token ids to text, or None where nobody can tell."""
        return decoder_of(self.lm)

    @property
    def context_length(self) -> int | None:
        """Tokens of prompt and output together, or None where the engine takes care of it."""
        return None

    @property
    def longest_prompt(self) -> int | None:
        """Tokens of a prompt that the engine reads, whatever the output; it cuts the rest. None: as many as fit."""
        return None

    @property
    def think_end_token(self) -> str | None:
        """What the user said that reasoning ends with; None also where the engine itself cuts the reasoning off."""
        token = None if self.cuts_reasoning else getattr(self.lm, "think_end_token", None)
        return str(self.lm.tok_decode([token], False)) if isinstance(token, int) else token

    @property
    def batch_size(self) -> int | None:
        """Outputs per call of `generate`, or None for an engine that cuts its own batches."""
        return None

    @property
    def remote(self) -> bool:
        """Whether an output is a request to a server, which somebody may have to pay for."""
        return False

    @property
    def bit_exact(self) -> bool:
        """Whether the same prompt gives the same output again; False where nobody can tell."""
        return False

    @property
    def identified(self) -> bool:
        """Whether the identity tells this system from every other one, so that outputs may be stored under it."""
        return True
