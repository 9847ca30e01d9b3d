"""The detector of unknown preambles: what it finds, and what it must not call a preamble."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.scaffold import SharedPreamble, detect_shared_preamble, find_answer

PREAMBLE = "Thinking Process:\n\n1.  **Analyze the Request:**"
ANSWERS = [
    "The user asks for a poem about rain.",
    "This is arithmetic: 17 times 3.",
    "A question about the French Revolution.",
    "Explain photosynthesis to a child.",
    "Advice on moving to another city.",
    "Write a function that reverses a list.",
]


def test_what_all_outputs_share_is_found() -> None:
    outputs = {f"p{i}": f"{PREAMBLE}\n    {answer}" for i, answer in enumerate(ANSWERS)}
    assert detect_shared_preamble(outputs) == SharedPreamble(PREAMBLE, 6, 6, 1.0, 6)
    assert detect_shared_preamble(list(outputs.values())) == SharedPreamble(PREAMBLE, 6, 6, 1.0, 6)


def test_some_outputs_may_differ_but_not_more_than_stated() -> None:
    outputs = [f"{PREAMBLE} {answer}" for answer in ANSWERS[:4]] + ["I cannot help with that.", ""]
    assert detect_shared_preamble(outputs) is None  # 4 of 6
    assert detect_shared_preamble(outputs[:5]) == SharedPreamble(PREAMBLE, 5, 4, 0.8, 6)
    assert detect_shared_preamble(outputs, min_share=0.66) == SharedPreamble(PREAMBLE, 6, 4, 4 / 6, 6)


def test_exactly_the_stated_share_is_enough() -> None:
    outputs = [f"{PREAMBLE} {i} and {i}" for i in range(14)] + [f"{i} to me" for i in range(11)]
    assert detect_shared_preamble(outputs, min_share=0.56) == SharedPreamble(PREAMBLE, 25, 14, 0.56, 6)
    assert detect_shared_preamble(outputs, min_share=0.57) is None


@pytest.mark.parametrize(
    "start", ["", "Sure! ", "Sure! Here is the ", "1. A. I am a ", "Internationalization notwithstanding, "]
)
def test_a_short_start_is_no_preamble(start: str) -> None:
    outputs = [f"{start}{word} {answer}" for word, answer in zip("abcdef", ANSWERS, strict=True)]
    assert detect_shared_preamble(outputs) is None


def test_too_few_outputs_say_nothing() -> None:
    outputs = [f"{PREAMBLE} {answer}" for answer in ANSWERS]
    assert detect_shared_preamble(outputs[:4]) is None
    assert detect_shared_preamble([]) is None
    assert detect_shared_preamble({}) is None
    assert detect_shared_preamble(outputs[:4], min_outputs=4) is not None


@pytest.mark.parametrize("rest", ["", "\n", " .", " ---"])
def test_identical_outputs_are_collapse(rest: str) -> None:
    assert detect_shared_preamble([PREAMBLE + rest * (i % 2) for i in range(6)]) is None
    assert detect_shared_preamble([PREAMBLE + rest] * 6) is None


def test_a_page_with_one_differing_word_is_collapse() -> None:
    page = "All work and no play makes Jack a dull boy. " * 20
    assert (
        detect_shared_preamble([f"{page}{word}" for word in ("one", "two", "three", "four", "five")]) is None
    )


def test_mostly_the_same_rest_is_collapse() -> None:
    outputs = [f"{PREAMBLE} I cannot help with that."] * 5 + [f"{PREAMBLE} {ANSWERS[0]}", f"{PREAMBLE} so"]
    assert detect_shared_preamble(outputs, min_share=1.0) is None
    assert detect_shared_preamble(outputs[3:] + [f"{PREAMBLE} {a}" for a in ANSWERS[1:4]]) is not None


def test_one_word_after_a_sentence_is_an_answer() -> None:
    words = ("Paris", "42", "Blue", "Nobody", "1789")
    found = detect_shared_preamble([f"The answer to your question is: {word}" for word in words])
    assert found is not None
    assert found.text == "The answer to your question is:"


def test_some_outputs_may_be_cut_right_after_it() -> None:
    outputs = [f"{PREAMBLE} {answer}" for answer in ANSWERS[:4]] + [PREAMBLE, PREAMBLE]
    assert detect_shared_preamble(outputs) == SharedPreamble(PREAMBLE, 6, 6, 1.0, 6)


def test_find_answer_takes_what_is_detected() -> None:
    outputs = [f"{PREAMBLE}\n    {answer}" for answer in ANSWERS]
    found = detect_shared_preamble(outputs)
    assert found is not None
    for output, answer in zip(outputs, ANSWERS, strict=True):
        span = find_answer(output, "<|im_start|>assistant\n", shared_preamble=found.text)
        assert (span.status, output[span.start : span.end]) == ("closed", answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": "one text"}, "`outputs` is one text of 8 characters"),
        ({"outputs": ["a"], "min_share": 0.5}, "`min_share` is 0.5"),
        ({"outputs": ["a"], "min_share": 1.1}, "`min_share` is 1.1"),
        ({"outputs": ["a"], "min_share": float("nan")}, "`min_share` is nan"),
        ({"outputs": ["a"], "min_outputs": 1}, "`min_outputs` is 1"),
    ],
)
def test_mistakes_are_refused_in_words(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        detect_shared_preamble(**arguments)
    assert str(error.value).startswith(message)
    assert "accepted: " in str(error.value)


def preamble_of(n_words: int) -> str:
    """So many words, no two of them equal."""
    return " ".join(f"thought{index}" for index in range(n_words))


def answers_of(n: int, opening: str, n_opened: int) -> list[str]:
    """Answers that differ from each other; so many of them begin with the opening, the others with a word of theirs."""
    words = [f"{opening} river{i}" if i < n_opened else f"Other{i} it is" for i in range(n)]
    return [f"{each} and so on for as long as an answer is behind a long preamble" for each in words]


@pytest.mark.parametrize("n_words", [6, 7, 8, 120])
@pytest.mark.parametrize("opening", ["The", "It is the"])
@pytest.mark.parametrize(("n_opened", "n"), [(0, 9), (6, 9), (7, 9), (8, 9), (8, 10), (9, 10), (23, 24)])
def test_first_words_that_most_answers_share_are_no_part_of_it(
    n_words: int, opening: str, n_opened: int, n: int
) -> None:
    """With them, the outputs that go on otherwise would keep their whole preamble."""
    outputs = [f"{preamble_of(n_words)} {answer}" for answer in answers_of(n, opening, n_opened)]
    found = detect_shared_preamble(outputs)
    assert found is not None
    assert (found.text, found.n_sharing) == (preamble_of(n_words), n)


def test_five_words_that_most_answers_share_are_taken_for_a_part_of_it() -> None:
    """The stated limit: four words are how answers begin, five are a preamble of their own."""
    for opening, n_words in (("The answer to this", 8), ("The answer to this is", 13)):
        outputs = [f"{preamble_of(8)} {answer}" for answer in answers_of(9, opening, 8)]
        assert detect_shared_preamble(outputs).n_words == n_words


@pytest.mark.parametrize("n_words", [8, 120])
@pytest.mark.parametrize("cut", ["thought0 thought1", "whole", "within a word"])
def test_outputs_cut_in_it_do_not_shorten_it(n_words: int, cut: str) -> None:
    preamble = preamble_of(n_words)
    text = {"whole": preamble, "within a word": preamble[:-3]}.get(cut, cut)
    outputs = [f"{preamble} {answer}" for answer in answers_of(9, "The", 6)] + [text, f"{text} "]
    found = detect_shared_preamble(outputs)
    assert (found.text, found.n_sharing) == (preamble, 11 if cut == "whole" else 9)
