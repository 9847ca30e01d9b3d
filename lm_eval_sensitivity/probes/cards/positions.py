"""Which position of one run corresponds to which of the other, and what stands there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PositionClass = Literal[
    "edit_first", "after_edit", "prompt_last", "generated", "final_context", "all_after_edit", "before_edit"
]
SINGLE: tuple[PositionClass, ...] = ("edit_first", "after_edit", "prompt_last", "generated", "final_context")
"""One position each, in the order in which a place for the controls is looked for."""
FEW: tuple[PositionClass, ...] = ("edit_first", "prompt_last", "final_context", "all_after_edit")
"""What is patched where not every position is."""


@dataclass(frozen=True)
class Alignment:
    """Two prompts as token ids: a common start, what was edited, a common end."""

    n_base: int
    """Tokens of the base prompt, n_A."""
    n_variant: int
    """n_B."""
    prefix: int
    """Tokens that both begin with."""
    suffix: int
    """Tokens that both end with, behind the common start."""


@dataclass(frozen=True)
class Place:
    """One position of both runs, or several that are copied together."""

    kind: PositionClass
    base: tuple[int, ...]
    """[k] positions in the base's run, 0-based."""
    variant: tuple[int, ...]
    """[k] positions in the variant's run that correspond to them."""

    @property
    def is_single(self) -> bool:
        """One state is copied."""
        return len(self.base) == 1


def align(base: Sequence[int], variant: Sequence[int]) -> Alignment:
    """Common start and common end of two prompts.

    Range: prefix 0 to min(n_A, n_B); suffix 0 to min(n_A, n_B) - prefix: a token is counted once.
    Identical: prefix = n, suffix = 0.

    Args:
        base: [position] token ids of the base prompt.
        variant: [position] token ids of the variant.

    Example:
        >>> align([5, 1, 2, 9], [5, 7, 8, 2, 9])
        Alignment(n_base=4, n_variant=5, prefix=1, suffix=2)
        >>> align([3, 3], [3, 3, 3])
        Alignment(n_base=2, n_variant=3, prefix=2, suffix=0)
    """
    shorter = min(len(base), len(variant))
    prefix = next((at for at in range(shorter) if base[at] != variant[at]), shorter)
    most = shorter - prefix
    suffix = next((at for at in range(most) if base[-1 - at] != variant[-1 - at]), most)
    return Alignment(len(base), len(variant), prefix, suffix)


def places(alignment: Alignment, step: int, *, every_position: bool) -> tuple[Place, ...]:
    """The places at which a state of the base's run can be put into the variant's.

    Both runs are fed their prompt and the same `step` output tokens; the last position predicts the step at which they
    part. A place that does not exist is left out: no token at the edit where one prompt is the beginning of the other,
    nothing after it where the edit is the end. At step 0 the end of the prompt is the last position, and is only there
    as `final_context`.

    Args:
        alignment: from `align`.
        step: t*, output tokens that both runs were fed.
        every_position: `after_edit` and each position of the shared output, too.

    Returns:
        In the order of `SINGLE`, then `all_after_edit`.

    Example:
        >>> here = align([5, 1, 2, 9], [5, 7, 8, 2, 9])
        >>> [(each.kind, each.base, each.variant) for each in places(here, 0, every_position=False)]
        [('edit_first', (1,), (1,)), ('final_context', (3,), (4,)), ('all_after_edit', (2, 3), (3, 4))]
        >>> [each.kind for each in places(here, 3, every_position=True)]
        ['edit_first', 'after_edit', 'prompt_last', 'generated', 'generated', 'final_context', 'all_after_edit']
    """
    n_base, n_variant, prefix, suffix = (
        alignment.n_base,
        alignment.n_variant,
        alignment.prefix,
        alignment.suffix,
    )
    found = []
    if prefix < min(n_base, n_variant):
        found.append(Place("edit_first", (prefix,), (prefix,)))
    if every_position and suffix:
        found.append(Place("after_edit", (n_base - suffix,), (n_variant - suffix,)))
    if step:
        found.append(Place("prompt_last", (n_base - 1,), (n_variant - 1,)))
    if every_position:
        found += [Place("generated", (n_base + at,), (n_variant + at,)) for at in range(step - 1)]
    found.append(Place("final_context", (n_base + step - 1,), (n_variant + step - 1,)))
    if suffix + step:
        span = range(-suffix, step)
        found.append(
            Place("all_after_edit", tuple(n_base + at for at in span), tuple(n_variant + at for at in span))
        )
    return tuple(found)


def before_edit(alignment: Alignment) -> Place | None:
    """The last position before the edit: both runs are the same there, whatever the model; None at the first token.

    Example:
        >>> before_edit(align([5, 1], [5, 2]))
        Place(kind='before_edit', base=(0,), variant=(0,))
    """
    at = alignment.prefix - 1
    return Place("before_edit", (at,), (at,)) if at >= 0 else None


def layers_to_patch(n_layers: int, every: int) -> tuple[int, ...]:
    """Every k-th layer from the first, and the last.

    Example:
        >>> layers_to_patch(30, 4)
        (0, 4, 8, 12, 16, 20, 24, 28, 29)
        >>> layers_to_patch(5, 4), layers_to_patch(3, 1)
        ((0, 4), (0, 1, 2))
    """
    return tuple(sorted({*range(0, n_layers, every), n_layers - 1}))
