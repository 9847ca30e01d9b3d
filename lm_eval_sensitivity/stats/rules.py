"""The rules of the verdicts, and their declared constants: from signs to words, from words to a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.text.format import percent

Sign = Literal["+", "-", "unclear"]
Axis = Literal["response", "harmless edits", "drift"]
Word = Literal[
    "alive", "collapsed", "indiscriminate", "as the reference", "more", "near", "far", "unclear", "not asked"
]
Label = Literal["COLLAPSED", "INDISCRIMINATE", "RESPONSIVE", "STABLE", "DRIFTED"]

AXES: dict[Axis, tuple[tuple[dict[str, Sign], Word], ...]] = {
    "response": (
        ({"L_C": "-"}, "collapsed"),
        ({"L_R": "-"}, "indiscriminate"),
        ({"L_C": "+", "L_R": "+"}, "alive"),
    ),
    "harmless edits": (({"L_P": "+"}, "more"), ({"L_P": "-"}, "as the reference")),
    "drift": (({"L_D": "+"}, "far"), ({"L_D": "-"}, "near")),
}
"""Which signs give which word: the first rule that is met. Where none is, the axis is `unclear`."""
NOT_ASKED: Word = "not asked"
"""The response to meaning of a task, which has no positive control."""

_BESIDE: tuple[tuple[dict[Axis, Word], Label], ...] = (
    ({"harmless edits": "more"}, "RESPONSIVE"),
    ({"harmless edits": "as the reference", "drift": "near"}, "STABLE"),
    ({"harmless edits": "as the reference", "drift": "far"}, "DRIFTED"),
)
RULES: tuple[tuple[dict[Axis, Word], Label], ...] = (
    ({"response": "collapsed"}, "COLLAPSED"),
    ({"response": "indiscriminate"}, "INDISCRIMINATE"),
    *(({"response": "alive", **words}, label) for words, label in _BESIDE),
)
"""Which words give which label; at most one rule is met."""

UNDETERMINED, INVALID_PROBE = "UNDETERMINED", "INVALID PROBE"

KEEPS = "keeps at least {kept} of the reference's response to meaning, "
MEANINGS: dict[str, str] = {
    "COLLAPSED": "has lost more than {lost} of the reference's response to meaning",
    "INDISCRIMINATE": "is moved by meaning less than {further} further than by harmless edits",
    "RESPONSIVE": f"{KEEPS}is more than {{more}} more sensitive",
    "STABLE": f"{KEEPS}is not more than {{more}} more sensitive, and is nearer to the reference than "
    "{moved}",
    "DRIFTED": f"{KEEPS}is not more than {{more}} more sensitive, and is further from the reference than "
    "{moved}",
    INVALID_PROBE: "on this reference the ladder is shown to be no valid probe",
    UNDETERMINED: "what is decided gives no label",
}
"""What was tested where a label is given; `in_words` fills in the constants."""


@dataclass(frozen=True)
class Constants:
    """The declared constants of the rules; they are part of every verdict."""

    k_control: float = 0.20
    """Share of the reference's response to meaning that may be lost."""
    k_response: float = 0.25
    """Share by which meaning must move a system further than harmless edits do."""
    k_harmless: float = 0.50
    """Share by which the sensitivity to harmless edits may exceed the reference's."""
    drift_factor: float = 2.0
    """lambda: drift counts above this multiple of what a harmless edit moves the reference."""
    level: float = 0.95
    """Of each one-sided bound."""

    @property
    def formulas(self) -> dict[str, str]:
        """What each contrast of the rules compares with 0.

        Returns:
            Name of the contrast -> formula, in the order of the rules.

        Example:
            >>> list(Constants().formulas.values())
            ['c - 0.8 c_ref', 'c - 1.25 p', 'p - 1.5 p_ref', 'b - 2 p_ref']
        """
        return {
            "L_C": f"c - {1 - self.k_control:g} c_ref",
            "L_R": f"c - {1 + self.k_response:g} p",
            "L_P": f"p - {1 + self.k_harmless:g} p_ref",
            "L_D": f"b - {self.drift_factor:g} p_ref",
        }

    def in_words(self, sentence: str) -> str:
        """Fill these constants into one of `MEANINGS`.

        Args:
            sentence: with any of the fields `lost`, `kept`, `further`, `more` and `moved`.

        Returns:
            The sentence; shares are in percent.

        Example:
            >>> Constants().in_words("at most {lost} lost, {more} more, nearer than {moved}")
            'at most 20 % lost, 50 % more, nearer than 2 times what a harmless edit moves it'
        """
        times = "" if self.drift_factor == 1 else f"{self.drift_factor:g} times what "
        return sentence.format(
            lost=percent(self.k_control),
            kept=percent(1 - self.k_control),
            further=percent(self.k_response),
            more=percent(self.k_harmless),
            moved=f"{times}a harmless edit moves it",
        )


def words_of(signs: Mapping[str, Sign]) -> dict[Axis, Word]:
    """The word of every axis.

    Args:
        signs: L_C, L_R, L_P and L_D -> `+`, `-` or `unclear`.

    Returns:
        In the order of `AXES`.

    Example:
        >>> words_of({"L_C": "+", "L_R": "+", "L_P": "unclear", "L_D": "-"})
        {'response': 'alive', 'harmless edits': 'unclear', 'drift': 'near'}
    """
    return {
        axis: next((word for rule, word in rules if rule.items() <= signs.items()), "unclear")
        for axis, rules in AXES.items()
    }


def label_of(words: Mapping[Axis, Word]) -> str:
    """The label of three words.

    Args:
        words: from `words_of`.

    Returns:
        One of `RULES`, or `UNDETERMINED`.

    Example:
        >>> label_of({"response": "alive", "harmless edits": "as the reference", "drift": "near"})
        'STABLE'
        >>> label_of({"response": "alive", "harmless edits": "unclear", "drift": "far"})
        'UNDETERMINED'
        >>> label_of({"response": "not asked", "harmless edits": "as the reference", "drift": "far"})
        'DRIFTED'
    """
    rules = _BESIDE if words["response"] == NOT_ASKED else RULES
    return next((label for rule, label in rules if rule.items() <= words.items()), UNDETERMINED)
