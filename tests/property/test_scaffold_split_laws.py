"""Laws of `find_answer` that hold for every scaffold and every text."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, find_answer
from lm_eval_sensitivity.scaffold.table import END_OF_TURN_TOKENS, Scaffold

PROMPT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
DELIMITERS = sorted(
    {
        delimiter
        for scaffold in KNOWN_SCAFFOLDS
        for group in (scaffold.opens, scaffold.closes, scaffold.answer_opens, scaffold.answer_ends)
        for delimiter in group
    }
    | set(END_OF_TURN_TOKENS)
)
# Pieces of delimiters, so that texts come as near to them as a text without delimiters can.
PIECES = sorted({piece for d in DELIMITERS for piece in (d[:1], d[:-1], d[1:], d[len(d) // 2 :])})
pieces = st.sampled_from([*PIECES, " ", "\n", "\u00a0", "It is 4.", "Here", "é", "x"])
near_texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=6).map("".join))
closable = st.sampled_from([scaffold for scaffold in KNOWN_SCAFFOLDS if scaffold.closes])


def free_of_delimiters(text: str) -> bool:
    """True if the text holds no delimiter and is not, as a whole, the beginning of one."""
    stripped = text.strip()
    if any(delimiter in text for delimiter in DELIMITERS):
        return False
    return len(stripped) < 2 or not any(delimiter.startswith(text.lstrip()) for delimiter in DELIMITERS)


free_texts = near_texts.filter(free_of_delimiters)


def prompt_for(scaffold: Scaffold) -> str:
    """A prompt that does not open the scaffold and lets it be looked for."""
    return PROMPT + scaffold.prompt_end if scaffold.prompt_end else PROMPT * (scaffold.prompt_end is None)


@given(
    data=st.data(), scaffold=closable, reasoning=free_texts, answer=free_texts, space=st.sampled_from(" \n")
)
def test_a_wrapped_answer_is_found(data, scaffold, reasoning, answer, space) -> None:
    opening = data.draw(st.sampled_from(scaffold.opens))
    closing = data.draw(st.sampled_from(scaffold.closes))
    wrapper = data.draw(st.sampled_from(scaffold.answer_opens or ("",)))
    ending = data.draw(st.sampled_from(scaffold.answer_ends or ("",)))
    turn_end = data.draw(st.sampled_from(("", *END_OF_TURN_TOKENS)))
    block = f"{opening}{space}{reasoning}{space}{closing}{space}"
    after = f"{wrapper}{space}{answer}{space}{ending}{space}{turn_end}"
    # "Here's my response:" may begin in the reasoning's last words; then the block is not what it seems.
    assume(block.index(closing) == len(block) - len(closing) - 1)
    n_blocks = data.draw(st.integers(1, 3))
    for prompt, output in [
        (prompt_for(scaffold), block * n_blocks + after),
        (prompt_for(scaffold) + opening, block[len(opening) :] + after),
    ]:
        if scaffold.prompt_end is not None and prompt != prompt_for(scaffold):
            continue  # an ordinary word at the end of a prompt opens nothing
        span = find_answer(output, prompt)
        assert output[span.start : span.end] == answer.strip()
        assert span.status == ("closed" if answer.strip() else "empty_answer")
        assert span.scaffold == scaffold.name


@given(output=free_texts, prompt=st.sampled_from(["", PROMPT, PROMPT + "<think></think>"]))
def test_without_a_scaffold_the_output_is_the_answer(output: str, prompt: str) -> None:
    span = find_answer(output, prompt)
    assert (span.status, span.scaffold, span.start, span.end) == ("none", None, 0, len(output))


@given(data=st.data(), scaffold=st.sampled_from(KNOWN_SCAFFOLDS), reasoning=free_texts)
def test_cut_inside_the_scaffold_is_unclosed(data, scaffold, reasoning) -> None:
    opening = data.draw(st.sampled_from(scaffold.opens))
    closing = data.draw(st.sampled_from(scaffold.closes or ("",)))
    block = f"{opening} {reasoning} {closing}"
    # Two characters tell a delimiter; a word needs a second word, and a lone word ("analysis") all of it.
    shortest = 2 if not opening[0].isalpha() else opening.find(" ") + 2 if " " in opening else len(opening)
    n_kept = data.draw(st.integers(shortest, len(block) - 1))
    for end in (n_kept, len(block) - 1):
        span = find_answer(block[:end], prompt_for(scaffold))
        assert (span.status, span.start, span.end) == ("unclosed", end, end)


@given(data=st.data(), reasoning=free_texts)
def test_cut_inside_a_scaffold_opened_by_the_prompt_is_unclosed(data, reasoning) -> None:
    scaffold = data.draw(st.sampled_from([s for s in KNOWN_SCAFFOLDS if s.prompt_end is None]))
    opening = data.draw(st.sampled_from(scaffold.opens))
    block = f"{reasoning} {scaffold.closes[0]}"
    n_kept = data.draw(st.integers(0, len(block) - 1))
    span = find_answer(block[:n_kept], PROMPT + opening + data.draw(st.sampled_from(["", "\n", " \n\n"])))
    assert (span.status, span.start, span.end) == ("unclosed", n_kept, n_kept)


mixed = st.lists(st.one_of(st.sampled_from(DELIMITERS), pieces), max_size=8).map("".join)


@given(output=mixed, prompt=mixed, preamble=st.one_of(st.none(), mixed))
def test_the_span_is_inside_the_output_and_fits_its_status(output, prompt, preamble) -> None:
    span = find_answer(output, prompt, shared_preamble=preamble)
    assert 0 <= span.start <= span.end <= len(output)
    answer = output[span.start : span.end]
    if span.status == "none":
        assert (span.scaffold, answer) == (None, output)
    elif span.status == "closed":
        assert answer
        assert answer == answer.strip()
        assert not answer.endswith(END_OF_TURN_TOKENS)
    else:
        assert not answer
    if span.status != "none":
        assert span.scaffold in {"shared_preamble", *(scaffold.name for scaffold in KNOWN_SCAFFOLDS)}


@given(preamble=free_texts, answer=free_texts)
def test_a_shared_preamble_is_cut_off_exactly(preamble: str, answer: str) -> None:
    assume(preamble.strip() and free_of_delimiters(f"{preamble}\n{answer}"))
    output = f"{preamble}\n{answer}\n"
    span = find_answer(output, PROMPT, shared_preamble=preamble)
    assert output[span.start : span.end] == answer.strip()
    assert span.status == ("closed" if answer.strip() else "empty_answer")
