"""English word lists for the edits that must tell words apart."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _words(
    """
    a an the this that these those each every either neither both all any some such own other
    another same i me my mine myself we us our ours ourselves you your yours yourself he him his
    himself she her hers herself it its itself they them their theirs themselves who whom whose
    which what someone somebody something anyone anybody anything everyone everybody everything
    nobody nothing none one ones when where why how whether while until till since because although
    though unless than then once if as so and or but nor yet also too about above across after
    against along among around at before behind below beneath beside between beyond by despite down
    during except for from in inside into like near of off on onto out outside over past per through
    throughout to toward towards under up upon via with within without am is are was were be been
    being do does did done doing have has had having will would shall should can could may might
    must ought let lets need needs not no never only just even still already almost again ever here
    there now always often sometimes usually rather quite very more most less least much many few
    fewer several enough long well instead else please zero two three four five six seven eight nine
    ten eleven twelve twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    billion half twice first second third last next
    """
)
"""Words that are never put in parentheses, in lower case.

Besides function words in the narrow sense: negations and limits (`not`, `only`), quantities and number
words, because in parentheses these may read as withdrawn and change the request.
"""

CLAUSE_WORDS = _words(
    """
    and but or nor so yet because although though while whereas if unless until when where which who
    whose that then since after before as
    """
)
"""Words that open a clause after a comma. In a list of three (`a, b, and c`) they follow a comma too; a line
break is harmless there as well."""

ABBREVIATIONS = _words(
    """
    approx art cf ch dept dr ed eds eg etc fig figs ie inc jr ltd mr mrs ms no nos nr op p pp prof
    ref sr st vol vs
    """
)
"""Words whose period does not end a sentence, in lower case without the period."""


def looks_english(text: str) -> bool:
    """True when at least one word in five is an English function word.

    Plain English stands above one in three; German or French texts, which share a few of these
    spellings, stay below one in five.

    Example:
        >>> looks_english("Write a short story about the sea."), looks_english("Schreibe eine Geschichte.")
        (True, False)
    """
    words = [word.strip(".,;:?!()\"'“”") for word in text.lower().split()]
    return 5 * sum(word in FUNCTION_WORDS for word in words) >= len(words) > 0
