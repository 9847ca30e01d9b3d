"""The prompt that a user gives, checked, and its variants."""

from __future__ import annotations

import sys

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import build_pairs
from lm_eval_sensitivity.ladder.files import MAX_CELL_CHARACTERS
from lm_eval_sensitivity.ladder.schema import pairs_from_rows, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, AuthoredVariant, Source
from lm_eval_sensitivity.types import UNCATEGORIZED, Pair


def read_stdin() -> str:
    """Read the prompt from stdin; one line break at its end is the shell's, not the prompt's.

    Returns:
        The text, without a byte order mark.

    Raises:
        InputError: it is not valid UTF-8.
    """
    content = sys.stdin.buffer.read(4 * MAX_CELL_CHARACTERS + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"PROMPT on stdin is not valid UTF-8, or too long (byte {error.start}). Save it as UTF-8; at most "
            f"{MAX_CELL_CHARACTERS} characters are accepted."
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


def neighborhood_pairs(prompt: str, variants: dict[str, str]) -> tuple[Pair, ...]:
    """One prompt and its variants as validated pairs.

    Args:
        prompt: the base prompt.
        variants: text by authored edit.

    Returns:
        [pair] mildest rung first, the identical one among them.

    Raises:
        InputError: a blank or too long text, or a variant that equals the prompt.

    Example:
        >>> [pair.edit for pair in neighborhood_pairs("Why is the sky blue?", {})][:3]
        ['identical', 'leading_space', 'trailing_space']
    """
    if not prompt.strip():
        raise InputError("PROMPT is blank. Give the prompt in quotes, or `-` to read it from stdin.")
    if len(prompt) > MAX_CELL_CHARACTERS:
        raise InputError(
            f"PROMPT has {len(prompt)} characters; accepted are at most {MAX_CELL_CHARACTERS}. Shorten it."
        )
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InputError("PROMPT is not valid UTF-8. Save it as UTF-8 and read it with `-` from stdin.")
    authored = {edit: AuthoredVariant(text, "") for edit, text in variants.items()}
    source = Source("one_prompt", (AuthoredPrompt("prompt", UNCATEGORIZED, prompt, authored),))
    # Through the same checks as rows from outside: an authored variant can equal its base.
    return pairs_from_rows(rows_from_pairs(build_pairs(source)), "PROMPT and --variants")
