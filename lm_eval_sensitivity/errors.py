"""The one exception a user's mistake raises.

`InputError` says what was received, what is accepted and what to do. It is a `ValueError` for
code that catches it, and a `SystemExit` for code that does not: `lm_eval` prints a traceback for
any other exception, and a mistyped path deserves a sentence, not a stack. Python prints the
message of an uncaught `SystemExit` to stderr and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.text.escape import inert, shown


class InputError(ValueError, SystemExit):
    """A user's mistake, found at a door: command line, task configuration, dataset, result file.

    Args:
        message: one or more whole sentences: what was received, what is accepted, what to do.

    Example:
        >>> try:
        ...     raise InputError("`rung` is 'synonyms'; accepted: 'synonym'. Correct the name.")
        ... except ValueError as error:
        ...     print(error)
        `rung` is 'synonyms'; accepted: 'synonym'. Correct the name.
    """

    def __init__(self, message: str) -> None:
        # Messages quote what strangers wrote, and end on a terminal.
        message = inert(message)
        super().__init__(message)
        # SystemExit prints `code` when nothing caught it; ValueError's initializer leaves it unset.
        self.code = message

    def __str__(self) -> str:
        return str(self.args[0])


MOST_CANDIDATES = 1_000
"""Accepted names that are compared: over all ids of a stranger's file it would take minutes."""


def did_you_mean(received: str, accepted: list[str] | tuple[str, ...]) -> str:
    """A suggestion for an unknown name.

    Args:
        received: the name; cut it where a stranger wrote it.
        accepted: all names that would do.

    Returns:
        A sentence after a space; empty where no name is close, or more than `MOST_CANDIDATES` are accepted.

    Example:
        >>> did_you_mean("synonyms", ["synonym", "paraphrase"])
        " Did you mean 'synonym'?"
        >>> did_you_mean("xyz", ["synonym"])
        ''
    """
    import difflib

    if len(accepted) > MOST_CANDIDATES:
        return ""

    close = difflib.get_close_matches(received, accepted, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown_name(what: str, received: str, accepted: Sequence[str]) -> InputError:
    """The error for a name that is none of the accepted ones.

    Args:
        what: what has this name, and where: the subject of the sentence.
        received: the name.
        accepted: all names that would do.

    Returns:
        The error, to be raised by the caller; its sentence suggests a close name.

    Example:
        >>> print(unknown_name("`rung`", "synonyms", ["noop", "synonym"]))
        `rung` is 'synonyms'; accepted: 'noop', 'synonym'. Did you mean 'synonym'? Correct the name.
    """
    suggestion = did_you_mean(received[:80], tuple(accepted))
    return InputError(
        f"{what} is {shown(received)}; accepted: {', '.join(map(repr, accepted))}.{suggestion} Correct the name."
    )
