"""`detect_shared_preamble` against its definition, computed by trying every beginning of every output."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.scaffold import detect_shared_preamble

words = st.sampled_from(["a", "b", "ab", "b.", "...", "\u00e9"])
spaces = st.sampled_from([" ", "\n", "  "])
texts = st.builds(
    lambda start, parts, end: start + "".join(space + word for space, word in parts) + end,
    st.sampled_from(["", "a", "a b", "a b\nab", " a"]),
    st.lists(st.tuples(spaces, words), max_size=5),
    st.sampled_from(["", " ", "\n"]),
)


def begins_with_words(text: str, beginning: str) -> bool:
    """True if `text` begins with `beginning` and its last word ends there too."""
    after = text[len(beginning) :][:1]
    return text.startswith(beginning) and (not after or after.isspace())


def by_definition(outputs: list[str], min_share: Fraction, min_words: int, min_characters: int):
    """(text, number sharing) of the longest beginning that enough outputs have, shortened word by word; or None."""
    beginnings = {text[:end] for text in outputs for end in range(1, len(text) + 1)}
    found: dict[str, list[str]] = {}
    for beginning in beginnings:
        sharing = [text for text in outputs if begins_with_words(text, beginning)]
        if not beginning[-1].isspace() and Fraction(len(sharing), len(outputs)) >= min_share:
            found[beginning] = sharing
    if not found:
        return None
    longest = max(found, key=len)
    # In the order of their length: all of them are beginnings of the longest.
    going_on_otherwise = [
        shorter
        for shorter in sorted(found, key=len, reverse=True)
        if any(
            not longest.startswith(text.rstrip())
            and not any(begins_with_words(text, longer) for longer in found if len(longer) > len(shorter))
            for text in found[shorter]
        )
    ]
    best = longest
    for shorter in going_on_otherwise:
        n_given_up = len(best.split()) - len(shorter.split())
        if (
            0 < n_given_up < min_words
            and len(shorter.split()) >= min_words
            and len(shorter) >= min_characters
        ):
            best = shorter
    rests = [text[len(best) :].rstrip() for text in found[best]]
    n_nothing = sum(not any(character.isalnum() for character in rest) for rest in rests)
    n_same = max(rests.count(rest) for rest in rests)
    if len(best.split()) < min_words or len(best) < min_characters:
        return None
    return None if max(n_nothing, n_same) * 2 > len(rests) else (best, len(rests))


@given(
    outputs=st.lists(texts, min_size=2, max_size=9),
    min_share=st.sampled_from(["0.51", "0.6", "0.7", "0.8", "1"]),
    min_words=st.integers(1, 4),
    min_characters=st.integers(1, 6),
)
def test_the_detector_agrees_with_the_definition(outputs, min_share, min_words, min_characters) -> None:
    found = detect_shared_preamble(
        outputs,
        min_outputs=2,
        min_share=float(min_share),
        min_words=min_words,
        min_characters=min_characters,
        min_rest_share=0.0,
    )
    expected = by_definition(outputs, Fraction(min_share), min_words, min_characters)
    assert (None if found is None else (found.text, found.n_sharing)) == expected


@given(outputs=st.lists(texts, min_size=5, max_size=8), data=st.data())
def test_order_and_names_do_not_matter(outputs: list[str], data) -> None:
    shuffled = data.draw(st.permutations(outputs))
    options = {"min_words": 1, "min_characters": 1}
    expected = detect_shared_preamble(outputs, **options)
    assert detect_shared_preamble(shuffled, **options) == expected
    assert detect_shared_preamble(dict(enumerate(map(str, shuffled))), **options) == expected


@given(
    rests=st.lists(st.integers(0, 10**9).map(str), min_size=5, max_size=12, unique=True),
    preamble=st.lists(st.from_regex(r"[a-z]{4,9}", fullmatch=True), min_size=5, max_size=8).map(" ".join),
)
def test_a_planted_preamble_is_found(rests: list[str], preamble: str) -> None:
    found = detect_shared_preamble([f"{preamble} is {rest}{rest} so {rest}" for rest in rests])
    assert found is not None
    assert found.text == f"{preamble} is"
    assert (found.n_sharing, found.n_outputs, found.share) == (len(rests), len(rests), 1.0)
