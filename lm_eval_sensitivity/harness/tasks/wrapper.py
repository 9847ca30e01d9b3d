"""The prompts of one task as they are wrapped: each with what stands in the way of scoring it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.harness.tasks.asked import Fed
from lm_eval_sensitivity.harness.tasks.chat_template import CUT, LOST, Rendered, left_out, same_around
from lm_eval_sensitivity.types import NOT_CONSTANT, Missing


class PromptWrapper:
    """Renders the prompts of a task, and remembers which arrive whole and whether their template is constant.

    Args:
        fed: what else is fed, compared with what was asked for.
    """

    def __init__(self, fed: Sequence[Fed] = ()) -> None:
        self._fed = fed
        self._left_out: dict[str, Missing | None] = {}
        self._renderings: dict[str, set[str]] = {}
        self._seen = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before anything is generated."""
        return tuple(each.warning for each in self._fed if each.warning)

    @property
    def record(self) -> dict[str, str]:
        """For the results file: what was fed, in words."""
        counts = Counter(each.kind for each in self._left_out.values() if each is not None)
        lost = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        whole = "whole" if self._seen else "sent; what the server does is not seen"
        prompts = f"{lost} of {len(self._left_out)} by the chat template" if lost else whole
        return {
            **{each.option: each.words for each in self._fed},
            **({"prompts": prompts} if self._left_out else {}),
            **({} if self._constant else {"constant": NOT_CONSTANT.detail}),
        }

    @property
    def _constant(self) -> bool:
        return all(len(each) == 1 for each in self._renderings.values())

    def rendered(
        self, render: Callable[[str], Any], doc: Mapping[str, Any], *, with_template: bool
    ) -> tuple[Rendered, Rendered]:
        """Both prompts of a pair.

        Args:
            render: wraps a text.
            doc: row of the ladder.
            with_template: whether a chat template is applied; without one every prompt arrives whole.

        Returns:
            Base and variant.
        """
        texts = (str(doc["base"]), str(doc["variant"]))
        base, variant = (render(text) for text in texts)
        if not with_template:
            return Rendered(base), Rendered(variant)
        self._seen = isinstance(base, str)
        # The base once more: where a clock or chance changed it meanwhile, the pair differs by more than its edit.
        again = render(texts[0])
        for text, context in ((texts[0], base), (texts[1], variant), (texts[0], again)):
            self._renderings.setdefault(text, set()).add(context_text(context))
        steady = context_text(base) == context_text(again) and (
            self._constant or same_around((base, variant), texts)
        )
        for text in {*texts} - self._left_out.keys():
            self._left_out[text] = left_out(render, text)
        obstacles = [self._left_out[text] for text in texts]
        obstacles[1] = obstacles[1] or obstacles[0]
        if not steady and doc["rung"] != "identical":  # there the ids themselves are compared
            obstacles[1] = obstacles[1] or NOT_CONSTANT
        return Rendered(base, obstacles[0]), Rendered(variant, obstacles[1])

    def refuse_if_nothing_arrived(self, requests: Sequence[Any]) -> None:
        """Say in one sentence what would look like a great many edits that were erased.

        Args:
            requests: of the task.

        Raises:
            InputError: of no pair both prompts arrive whole.
        """
        kinds = [each.obstacle for each in requests]
        whole = [not {*kinds[at : at + 2]} & {CUT, LOST} for at in range(0, len(kinds), 2)]
        if whole and not any(whole):
            words = LOST.detail if LOST in kinds else CUT.detail
            raise InputError(
                f"`--apply_chat_template`: {words}, in each of {len(whole)} pairs. Nothing can be measured with this "
                "template: use another one, or leave the option out."
            )
