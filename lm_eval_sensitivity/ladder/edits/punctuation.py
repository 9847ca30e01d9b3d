"""Punctuation and structural edits: visible, small, and without another meaning.

Every edit takes a text and returns its replacements, or None where it is not applicable. Each makes
exactly one kind of change, outside protected spans and, but for `curly_quotes`, outside material to work
on; see `Request`.
"""

from __future__ import annotations

import re
import unicodedata

from lm_eval_sensitivity.ladder.edits.parentheses import can_stand_in_parentheses, closes_noun_phrase
from lm_eval_sensitivity.ladder.edits.positions import (
    FINAL_MARKS,
    MARKS,
    PERIODS,
    bracketed,
    ends_sentence,
    is_word_character,
    middle_most,
    plain_blocks,
    series_commas,
    starts_as_markup,
)
from lm_eval_sensitivity.ladder.edits.protected import Protection, blanked
from lm_eval_sensitivity.ladder.edits.registry import register
from lm_eval_sensitivity.ladder.edits.request_and_material import Request
from lm_eval_sensitivity.ladder.edits.words import (
    ABBREVIATIONS,
    ARITHMETIC_WORDS,
    CLAUSE_WORDS,
    CONTRACTIONS,
    DANGLING_WORDS,
    FUNCTION_WORDS,
    NUMBER_WORDS,
    looks_english,
)
from lm_eval_sensitivity.types import Replacement

_SEMICOLONS = {",": ";", "،": "؛", "，": "；"}

_COMMA = re.compile(r"[,،](?= )|，")
_CODE_LIST = re.compile(r"\b(?i:return|import|select|lambda|print|yield|global)(?: \w+,)* \w+\Z|\bfor \w+\Z")
_WORD = re.compile(r"(?<!\S)[^\W\d_]{4,}(?=[\s,.;:?!]|\Z)")

# The first word of a character's Unicode name is its script.
_PERIOD_OF_SCRIPT = {
    **dict.fromkeys(("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "HANGUL", "GEORGIAN"), "."),
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"), "。"),
    **dict.fromkeys(("DEVANAGARI", "BENGALI"), "।"),
}
_URDU_LETTERS = frozenset("ٹڈڑںے")
_CLOSING_QUOTES = "\"'”’»」』"
_SYMBOL = re.compile(r"[.,:/\\_@#=<>{}|~^$&%*+]")
_EDGES = "()（）\"'“”‘’«»「」『』"

# Before a space these marks end no sentence for sure: `2.`, `Ph.D.`, `Ask Yahoo!`.
_DOUBTFUL_END = re.compile(r"(?:(?<!\w)\d{1,3}|\w\.\w{1,4})\.\Z|(?<=[^\W_] )[A-Z]\w{0,30}!\Z")
_LINE = re.compile(r"[^\n]+")
_SPACED_HYPHEN = re.compile(r"(?<=\S) - (?=\S)")
_OPERATOR = re.compile(r"[=+×÷^<>|]| [*/] ")

# Lower-case letters after the apostrophe: all in capitals, `IM` and `ITS` may be something else.
_CONTRACTION = re.compile(r"(?<![\w'’-])[A-Za-z]{1,8}(['’])[a-z]{1,2}(?![\w'’-])")
# `I know it's food` would become `I know its food`. These words after it rule that reading out, and so does a
# participle that no noun follows (`it's packed every day`); `-eed` is more often a noun.
_CANNOT_BE_POSSESSIVE = re.compile(
    r" (?:(?:a|an|the|my|your|his|her|our|their|not|too|so|been|because|in|on|at|for|to|from|about)(?!\w)"
    r"|[a-z]{2,20}(?<!e)ed(?=[,.;?!]|\Z| (\w{1,10})\b))"
)


@register("punctuation")
def duplicate_period(text: str) -> tuple[Replacement, ...] | None:
    """The final period is doubled.

    A text that does not end in a single period gets the middle-most of its other sentence-final
    periods doubled.

    Returns:
        An insertion; None where there is neither.

    Example:
        >>> duplicate_period("Hello there.")  # 'Hello there..'
        (Replacement(start=12, end=12, replacement='.'),)
        >>> duplicate_period("It rains. Why?")  # 'It rains.. Why?'
        (Replacement(start=9, end=9, replacement='.'),)
    """
    protection = Protection(text)
    final = _final_mark(text, PERIODS, protection)
    if final is None:
        final = middle_most(_inner_sentence_periods(text, protection), len(text))
    return None if final is None else (Replacement(final + 1, final + 1, text[final]),)


@register("punctuation")
def comma_semicolon(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most comma between two words of the request becomes a semicolon, in the same script.

    A comma before a word such as `and` or `which` goes before one in a list. Commas beside a number or a
    one-letter name, in brackets, in code without backticks, in data and in material to work on stay.

    Returns:
        One exchange; None where no comma may change.

    Example:
        >>> comma_semicolon("Well, choose red, or blue.")  # 'Well, choose red; or blue.'
        (Replacement(start=16, end=17, replacement=';'),)
    """
    protection, inside = Protection(text), bracketed(text)
    request = Request(text, protection)
    commas = [
        at
        for at in (match.start() for match in _COMMA.finditer(text))
        if request.has(at)
        and not inside[at]
        and not protection.covers(at, at + 1)
        and _divides_words(text, at)
    ]
    clauses = [at for at in commas if _word_after(text, at).lower() in CLAUSE_WORDS]
    comma = middle_most(clauses or commas, len(text))
    return None if comma is None else (Replacement(comma, comma + 1, _SEMICOLONS[text[comma]]),)


@register("punctuation")
def parenthesize_word(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most content word of the request is put in parentheses.

    A content word has four or more lower-case letters and is not in the list of English function
    words. One that closes a phrase after an article or preposition, so most likely a noun, goes before
    other words of such a phrase or before a mark. Left out are what may be a verb, words beside a bracket,
    a number or a symbol, after a negation or a limit such as `only`, abbreviations, and items of a list. In
    a text that is not recognisably English the edit is not applicable: no list tells its function words.

    Returns:
        Two insertions around the word; None where no word qualifies.

    Example:
        >>> parenthesize_word("Why does the sky look blue at noon?")  # '... look blue at (noon)?'
        (Replacement(start=30, end=30, replacement='('), Replacement(start=34, end=34, replacement=')'))
    """
    if not looks_english(text):
        return None
    protection, inside = Protection(text), bracketed(text)
    request = Request(text, protection)
    spans = {
        match.start() + match.end(): match.span()
        for match in _WORD.finditer(text)
        if match.group().islower()
        and match.group() not in FUNCTION_WORDS
        and request.has(match.start())
        and not inside[match.start()]
        and not protection.covers(*match.span())
        and can_stand_in_parentheses(text, *match.span())
    }
    nouns = [middle for middle, span in spans.items() if closes_noun_phrase(text, *span)]
    middle = middle_most(nouns or spans, 2 * len(text))
    if middle is None:
        return None
    start, end = spans[middle]
    return (Replacement(start, start, "("), Replacement(end, end, ")"))


@register("punctuation")
def curly_quotes(text: str) -> tuple[Replacement, ...] | None:
    """Straight quotes and apostrophes become typographic ones.

    Exchanged are the quote characters around a quotation and the apostrophes after a letter; nothing
    inside a quotation, in code or in a number changes, and a quote without a partner stays. Lists and
    material are not left out, unlike in the other edits: two kinds of quotes would stand side by side.

    Returns:
        One exchange per character; None where there is nothing to exchange.

    Example:
        >>> from lm_eval_sensitivity.ladder.replacements import apply_replacements
        >>> text = '''Don't say "it's me" in `"code"`.'''
        >>> print(apply_replacements(text, curly_quotes(text)))
        Don’t say “it's me” in `"code"`.
    """
    protection = Protection(text)
    exchanged: dict[int, str] = {}
    for span in protection.spans:
        if span.kind == "quote" and text[span.start] in "\"'" and text[span.start] == text[span.end - 1]:
            opening, closing = ("“", "”") if text[span.start] == '"' else ("‘", "’")
            exchanged[span.start], exchanged[span.end - 1] = opening, closing
    for position in range(1, len(text)):
        is_apostrophe = text[position] == "'" and text[position - 1].isalpha()
        if is_apostrophe and not protection.covers(position, position + 1):
            exchanged[position] = "’"
    return tuple(Replacement(at, at + 1, exchanged[at]) for at in sorted(exchanged)) or None


@register("punctuation")
def drop_final_period(text: str) -> tuple[Replacement, ...] | None:
    """The final period, question mark or exclamation mark is removed, with a space before it.

    Returns:
        A deletion; None when the text ends otherwise, or in a run of marks (`...`, `?!`).

    Example:
        >>> drop_final_period("Why does it rain?")  # 'Why does it rain'
        (Replacement(start=16, end=17, replacement=''),)
    """
    final = _final_mark(text, FINAL_MARKS, Protection(text))
    if final is None:
        return None
    start = len(
        text[:final].rstrip()
    )  # `Pourquoi ?`: the space goes with the mark, or it would be a second edit
    return None if text[start - 1] in FINAL_MARKS else (Replacement(start, final + 1, ""),)


@register("punctuation")
def bullet_prefix(text: str) -> tuple[Replacement, ...] | None:
    """The text becomes the only item of a Markdown list: `- ` before it.

    Returns:
        An insertion; None for a text of more than one line, whose rest would not be part of the item, or when the line
        already starts with markup: a list, a heading, a table, a code block.

    Example:
        >>> bullet_prefix("Hello there.")  # '- Hello there.'
        (Replacement(start=0, end=0, replacement='- '),)
        >>> bullet_prefix("1. First item") is None
        True
    """
    if len(text.strip().splitlines()) != 1 or starts_as_markup(text) or Protection(text).opens_with_code:
        return None
    start = len(text) - len(text.lstrip())
    return (Replacement(start, start, "- "),)


@register("punctuation")
def add_final_period(text: str) -> tuple[Replacement, ...] | None:
    """A text that ends in a letter, or in a quote or bracket closed after one, gets a final period.

    The period is that of the script.

    Returns:
        An insertion; None after any mark, code, link, number or abbreviation, in a list item or other markup, where
        the last sentence is unfinished, a name below a message, or material to work on, and in a script or a mixture of
        scripts whose period is not known.

    Example:
        >>> add_final_period("Tell me why it rains")  # 'Tell me why it rains.'
        (Replacement(start=20, end=20, replacement='.'),)
        >>> add_final_period("The capital of France is") is None
        True
    """
    end = len(text.rstrip())
    protection = Protection(text)
    if Request(text, protection).material_start < end or not _is_sentence_end(text, end, protection):
        return None
    period = _period_of({text[at] for at in range(end) if not protection.covers(at, at + 1)})
    return None if period is None else (Replacement(end, end, period),)


@register("punctuation")
def oxford_comma(text: str) -> tuple[Replacement, ...] | None:
    """The comma before the last of three or more listed items is added, or removed if it is there.

    The middle-most list that is surely one counts; see `series_commas`. Only in English: most other
    languages never write this comma.

    Returns:
        An insertion or a deletion; None in a text without such a list.

    Example:
        >>> oxford_comma("Compare tea, milk and salt.")  # 'Compare tea, milk, and salt.'
        (Replacement(start=17, end=17, replacement=','),)
        >>> oxford_comma("Compare tea, milk, and salt.")  # 'Compare tea, milk and salt.'
        (Replacement(start=17, end=18, replacement=''),)
        >>> oxford_comma("I came, and she left.") is None
        True
    """
    if not looks_english(text):
        return None
    protection = Protection(text)
    request = Request(text, protection)
    ends = {
        start: end
        for start, end in series_commas(_without_inline_code(text, protection))
        if request.has(start) and not protection.covers(start, end)
    }
    comma = middle_most(ends, len(text))
    if comma is None:
        return None
    return (Replacement(comma, ends[comma], "," if ends[comma] == comma else ""),)


@register("punctuation")
def drop_apostrophe(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most apostrophe of an English contraction is removed.

    Only in contractions that do not become another word: `don't`, but not `we're`. The exception is `it's`,
    which becomes `its`, but only before words that rule the possessive out (`it's the best`). Never in a
    possessive, in capitals, or in material to work on.

    Returns:
        A deletion; None where there is no such contraction.

    Example:
        >>> drop_apostrophe("I don't know.")  # 'I dont know.'
        (Replacement(start=5, end=6, replacement=''),)
        >>> drop_apostrophe("We're at the dog's bowl.") is None
        True
    """
    protection = Protection(text)
    request = Request(text, protection)
    apostrophes = [
        match.start(1)
        for match in _CONTRACTION.finditer(text)
        if match.group().replace("’", "'").lower() in CONTRACTIONS
        and not protection.covers(*match.span())
        and request.has(match.start())
        and (match.group()[:2].lower() != "it" or match.group()[3:] != "s" or _is_it_is(text, match.end()))
    ]
    apostrophe = middle_most(apostrophes, len(text))
    return None if apostrophe is None else (Replacement(apostrophe, apostrophe + 1, ""),)


@register("punctuation")
def paragraph_break(text: str) -> tuple[Replacement, ...] | None:
    r"""The middle-most space between two sentences becomes a blank line.

    Returns:
        One exchange; None where the sentences share a bracket, a quotation, a list item or other markup, where the
        second would become a list item, and in material to work on, which a break could cut in two.

    Example:
        >>> paragraph_break("It rains. Tell me why.")  # 'It rains.\n\nTell me why.'
        (Replacement(start=9, end=10, replacement='\n\n'),)
        >>> paragraph_break("Only one sentence.") is None
        True
    """
    protection, inside = Protection(text), bracketed(text)
    material = Request(text, protection).material_start
    gaps = [
        gap
        for start, end in plain_blocks(text)
        for gap in range(start + 1, min(end - 1, material))
        if text[gap] == " "
        and text[gap - 1] in FINAL_MARKS
        and (text[gap + 1].isalnum() or text[gap + 1] in '"“‘«「¿¡')
        and ends_sentence(text, gap - 1)
        and not inside[gap]
        and not protection.covers(gap - 1, gap + 1)
        and not starts_as_markup(text[gap + 1 : gap + 8])
        and not _DOUBTFUL_END.search(text[max(0, gap - 40) : gap])
    ]
    gap = middle_most(gaps, len(text))
    return None if gap is None else (Replacement(gap, gap + 1, "\n\n"),)


@register("punctuation")
def em_dash(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most spaced hyphen between two words becomes an em dash.

    Returns:
        One exchange; None where it may be a minus sign (between numbers, number words or single letters, in a line
        with another operator, in a text about arithmetic) or stand for `to` between two names.

    Example:
        >>> em_dash("I like tea - not coffee.")  # 'I like tea — not coffee.'
        (Replacement(start=11, end=12, replacement='—'),)
        >>> em_dash("What is 5 - 3?") is None
        True
    """
    protection = Protection(text)
    if not ARITHMETIC_WORDS.isdisjoint(re.findall(r"[a-z]+", text.lower())):
        return None
    hyphens = [
        match.start() + hyphen.start() + 1
        for match in _LINE.finditer(text)
        if not _OPERATOR.search(match.group())
        for hyphen in _SPACED_HYPHEN.finditer(match.group())
        if _joins_words(text, match.start() + hyphen.start())
    ]
    request = Request(text, protection)
    free = [at for at in hyphens if request.has(at) and not protection.covers(at - 2, at + 3)]
    hyphen = middle_most(free, len(text))
    return None if hyphen is None else (Replacement(hyphen, hyphen + 1, "—"),)


def _final_mark(text: str, marks: str, protection: Protection) -> int | None:
    """Position of a single unprotected mark at the end of the text, before trailing white space."""
    final = len(text.rstrip()) - 1
    if final < 1 or text[final] not in marks or text[final - 1] in FINAL_MARKS + "…":
        return None
    is_free = Request(text, protection).has(final) and not protection.covers(final, final + 1)
    return final if is_free else None


def _inner_sentence_periods(text: str, protection: Protection) -> list[int]:
    """Unprotected periods that end a sentence before the last one."""
    last = len(text.rstrip()) - 1
    request = Request(text, protection)
    return [
        position
        for position in range(1, last)
        if text[position] in PERIODS
        and request.has(position)
        and ends_sentence(text, position)
        and not protection.covers(position, position + 1)
    ]


def _word_before(text: str, comma: int) -> str:
    """The token that ends at this comma; after East Asian writing its last character alone."""
    tokens = text[max(0, comma - 40) : comma].split(" ")
    return text[comma - 1 : comma] if text[comma] == "，" else tokens[-1]


def _word_after(text: str, comma: int) -> str:
    if text[comma] == "，":
        return text[comma + 1 : comma + 2]
    return text[comma + 2 : comma + 42].split(" ")[0].rstrip(MARKS + "،")


def _is_plain_word(token: str) -> bool:
    """True for a word of prose: letters and their marks, more than one in an alphabet, or `a` or `I`."""
    if any(not (is_word_character(mark) or mark in "'’-") or mark.isdigit() for mark in token):
        return False
    return len(token) > 1 or token in ("a", "I") or not token.isascii()  # an East Asian character


def _divides_words(text: str, comma: int) -> bool:
    """True between two words of prose. `return total, count` and `for key, value in` are code without marks."""
    before, after = _word_before(text, comma), _word_after(text, comma)
    is_code = after.lower() not in FUNCTION_WORDS and _CODE_LIST.search(text, max(0, comma - 80), comma)
    return _is_plain_word(before) and _is_plain_word(after) and not is_code


def _without_inline_code(text: str, protection: Protection) -> str:
    """The text with inline code as characters of no word, so that its marks do not break the clause."""
    inline = (span for span in protection.spans if "\n" not in text[span.start : span.end])
    return blanked(text, [span for span in inline if span.kind == "code"])


def _is_sentence_end(text: str, end: int, protection: Protection) -> bool:
    """True when a sentence without a mark ends here, and its last word can bear a period."""
    blocks = plain_blocks(text[:end])
    if not blocks or blocks[-1][1] != end:
        return False
    *_, before, sentence = ["", *text[blocks[-1][0] : end].rsplit("\n", 2)]
    if (before and before.rstrip()[-1:] not in FINAL_MARKS) or _OPERATOR.search(sentence):
        return False  # the lines may be items of a list, or verses; the last one, a formula
    last = end - 1 - (_closes_quote(text, end, protection) or _closes_aside(text, end))
    if any(span.start <= last < span.end and span.kind != "quote" for span in protection.spans):
        return False
    *_, previous, word = ["", *text[max(0, end - 80) : end].split()]
    if previous[-1:] in tuple(FINAL_MARKS):
        return False  # `See you! Anna`: a signature
    word = word.strip(_EDGES).lower()
    while last > 0 and unicodedata.category(text[last])[0] == "M":
        last -= 1
    return (
        text[last].isalpha()
        and not _SYMBOL.search(word)
        and word not in DANGLING_WORDS
        and word not in ABBREVIATIONS
    )


def _closes_quote(text: str, end: int, protection: Protection) -> bool:
    return text[end - 1] in _CLOSING_QUOTES and any(
        span.end == end and span.kind == "quote" for span in protection.spans
    )


def _closes_aside(text: str, end: int) -> bool:
    """True after a closing bracket that was opened after a space: `f(x)` is code. East Asia writes no space."""
    if text[end - 1] == "）":
        return True
    inside = bracketed(text)
    if text[end - 1] != ")" or not inside[end - 1]:
        return False
    opening = inside.rfind(b"\0", 0, end)
    return opening == -1 or text[opening].isspace()


def _period_of(letters: set[str]) -> str | None:
    """The period for a text of these characters, or None where they do not agree on one."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in letters if letter.isalpha()}
    periods = {_PERIOD_OF_SCRIPT.get(script) for script in scripts}
    if not letters.isdisjoint(_URDU_LETTERS):
        return "۔" if scripts == {"ARABIC"} else None
    return periods.pop() if len(periods) == 1 else None


def _is_it_is(text: str, end: int) -> bool:
    """True when the `it's` that ends here would not be read as a possessive without its apostrophe."""
    following = _CANNOT_BE_POSSESSIVE.match(text, end)
    return following is not None and (following[1] or "the") in FUNCTION_WORDS


def _joins_words(text: str, start: int) -> bool:
    """True when the spaced hyphen ` - ` at this position stands between two words of more than a letter."""
    if unicodedata.category(text[start - 1])[0] not in "LM" or not text[start + 3].isalpha():
        return False
    before = text[max(0, start - 40) : start].split()[-1]
    after = text[start + 3 : start + 43].split()[0].rstrip(MARKS)
    return (
        min(len(before), len(after)) > 1
        and not (before[0].isupper() and after[0].isupper())
        and not any(_SYMBOL.search(word) or word.lower() in NUMBER_WORDS for word in (before, after))
    )
