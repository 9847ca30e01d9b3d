"""What the user asked for is held against what is fed, without a model: templates, limits, switches, stop strings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from jinja2 import TemplateError
from lm_eval.api.model import TemplateLM
from lm_eval.models.api_models import JsonChatStr
from transformers.utils.chat_template_utils import render_jinja_template

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.run import greedy_generations
from lm_eval_sensitivity.harness.engines.text import TextEngine
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, Output, Trace
from lm_eval_sensitivity.harness.generate.plan import PairInstance
from lm_eval_sensitivity.harness.generate.views import after_think_end
from lm_eval_sensitivity.harness.measure.pair import pair_inputs
from lm_eval_sensitivity.harness.tasks.asked import asked_and_fed, check_device
from lm_eval_sensitivity.harness.tasks.chat_template import (
    CUT,
    LOST,
    chosen_template,
    describe_template,
    left_out,
    refused_in_words,
)
from lm_eval_sensitivity.harness.tasks.wrapper import PromptWrapper
from lm_eval_sensitivity.types import NOT_CONSTANT, Missing

LINE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
"""A template that feeds everything."""


class Tokenizer:
    """Renders with transformers, where `tick` counts the renderings; a token is a character."""

    is_fast = False

    def __init__(self, chat_template: Any) -> None:
        self.chat_template = chat_template
        self.clock = itertools.count()

    def apply_chat_template(self, history: list[dict[str, str]], **switches: Any) -> str:
        source = self.chat_template["default"] if isinstance(self.chat_template, dict) else self.chat_template
        (rendered,), _ = render_jinja_template(
            [history], chat_template=source, tick=next(self.clock), **switches
        )
        return str(rendered)


class Model(TemplateLM):
    """Cuts prompts from the left to leave room for its output, as lm_eval's models over an API do."""

    tokenizer_name = "characters"
    eot_token_id = 0

    def __init__(self, template: Any = LINE, *, max_length: int = 2047, **attributes: Any) -> None:
        super().__init__()
        self.tokenizer, self.max_length = Tokenizer(template), max_length
        self.chat_template_args: dict[str, Any] = {}
        self.asked: list[str] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> Any:
        try:
            return self.tokenizer.apply_chat_template(history, **self.chat_template_args)
        except TemplateError:  # as HFLM does
            users = [message for message in history if message["role"] != "system"]
            return self.tokenizer.apply_chat_template(users, **self.chat_template_args)

    def tok_encode(self, string: Any, **_: Any) -> Any:
        return [ord(letter) for letter in string]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        for request in requests:
            context, settings = request.args
            room = self.max_length - settings["max_gen_toks"]
            self.asked.append(context[-room:] if len(context) > room else context)
        return [self.answer(context) for context in self.asked[-len(requests) :]]

    def answer(self, context: str) -> str:
        return f"Answer to {len(context)} letters. And more."

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> Any:
        raise NotImplementedError

    loglikelihood_rolling = _loglikelihood_tokens


class Chat(Model):
    """Sends messages; the server applies a template that nobody sees."""

    def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> Any:
        return JsonChatStr(json.dumps(history))

    def tok_encode(self, string: Any, **_: Any) -> Any:
        return string

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        return [self.answer(request.args[0].prompt) for request in requests]


PAIRS = (
    ("identical", "Why is the sky blue at noon?", "Why is the sky blue at noon?"),
    ("noop", "Why is the sky blue at noon?", "Why is the sky blue at noon? "),
    ("synonym", "Name a large river in Asia.", "Name a big river in Asia."),
)


def settings(lm: Model, instruction: str | None = None) -> dict[str, Any]:
    return {
        "apply_chat_template": True,
        "chat_template": refused_in_words(lm.apply_chat_template),
        "system_instruction": instruction,
    }


def requests(
    lm: Model, *, limit: int = 64, until: tuple[str, ...] = (), pairs: Any = PAIRS
) -> Iterator[PairInstance]:
    """As the task makes them."""
    wrapper = PromptWrapper()
    made = []
    for number, (rung, base, variant) in enumerate(pairs):
        doc = {"prompt_id": base, "pair_id": f"{number}", "rung": rung, "base": base, "variant": variant}

        def render(text: str) -> Any:
            return lm.apply_chat_template([{"role": "user", "content": text}])

        for index, prompt in enumerate(wrapper.rendered(render, doc, with_template=True)):
            replicate = int(rung == "identical") * index
            made.append(
                PairInstance(
                    request_type="generate_traced",
                    doc=doc,
                    arguments=(prompt.context, Decoding(limit, until).as_gen_kwargs(), replicate),
                    idx=index,
                    metadata=("task", number, 1),
                    chat_template_applied=True,
                    obstacle=prompt.obstacle,
                )
            )
    wrapper.refuse_if_nothing_arrived(made)
    return iter(made)


def reasons(lm: Model, **options: Any) -> list[str | None]:
    """[pair] kind of the reason why nothing is scored, or None."""
    found = greedy_generations(lm, list(requests(lm, **options)))
    return [_kind(*found[at : at + 2]) for at in range(0, len(found), 2)]


def _kind(base: Generation, variant: Generation) -> str | None:
    distances: Any = SimpleNamespace(distance=lambda text, other: 0.5)
    found = pair_inputs(FilteredText(base, "raw"), FilteredText(variant, "raw"), distances).base.text
    return found.kind if isinstance(found, Missing) else None


# ---- prompts that do not arrive whole


def test_a_limit_larger_than_the_context_is_lowered_and_said(caplog: pytest.LogCaptureFixture) -> None:
    lm = Model(max_length=2047)
    assert reasons(lm, limit=4096) == [None, None, None]
    assert "max_gen_toks is 2001 in this run, not 4096" in caplog.text
    assert all(asked.startswith("<user>") for asked in lm.asked), "no prompt was emptied or cut"
    facts = greedy_generations(lm, list(requests(lm, limit=4096)))[0].facts
    assert facts is not None and facts.decoding["max_gen_toks"] == 2001


def test_a_context_in_which_a_prompt_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="has 46 tokens; the model's context holds 40"):
        reasons(Model(max_length=40), limit=8)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (LINE, [None, None, None]),
        (LINE.replace("m.content", "m.content | trim"), [None, "erased", None]),
        (LINE.replace("m.content", "m.content | lower"), [None, None, None]),
        (LINE.replace("m.content", "m.content | upper"), [None, None, None]),
        (LINE.replace("m.content", "m.content[:27]"), ["cut", "cut", None]),
        (
            LINE.replace("m.content", "m.content[2:] if 'sky' in m.content else m.content"),
            ["cut", "cut", None],
        ),
        (LINE.replace("m.content", "'' if 'sky' in m.content else m.content"), ["cut", "cut", None]),
        (LINE.replace("m.content", "m.content if m.content | length is even else ''"), [None, "cut", "cut"]),
        (LINE.replace("m.content", "m.content.split() | join(' ')"), [None, "erased", None]),
        (LINE.replace("m.content", "m.content | tojson"), [None, None, None]),
        (LINE.replace("<assistant>", "{{ tick }}"), [NOT_CONSTANT.kind] * 3),
        ("{{ tick }}" + LINE, [NOT_CONSTANT.kind] * 3),
        ("{{ tick // 5 }}" + LINE, [None, None, None]),  # a clock that goes on between the pairs
        ("{{ tick // 11 }}" + LINE, [None, None, NOT_CONSTANT.kind]),  # and one that does inside of the last
    ],
)
def test_no_pair_is_scored_whose_prompts_differ_by_more_than_the_edit(
    template: str, expected: list[str | None]
) -> None:
    assert reasons(Model(template)) == expected


@pytest.mark.parametrize("content", ["''", "'fixed'", "m.role", "(m.content | length) // 99"])
def test_a_template_that_loses_the_message_is_one_sentence(content: str) -> None:
    with pytest.raises(InputError, match="leaves out the prompt, in each of 3 pairs") as refused:
        reasons(Model(LINE.replace("m.content", content)))
    assert "erased" not in str(refused.value)


def test_an_encoder_that_cuts_prompts_leaves_their_pairs_unscored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lm = Model(max_length=44, backend="seq2seq")
    monkeypatch.setattr(lm, "generate_until", lambda requests, **_: ["An answer."] * len(requests))
    assert reasons(lm, limit=4096) == ["cut", "cut", None]
    assert "2 of 3 pairs are not scored: cut: the engine reads 44 tokens of a prompt." in caplog.text


def test_what_cannot_be_known_of_a_prompt_is_said() -> None:
    assert "not known" in str(TextEngine(Chat(), {}).notes()["fed_as"])
    assert "2047 tokens" in str(TextEngine(Model(), {}).notes()["fed_as"])
    assert reasons(Chat(), limit=4096) == [None, None, None]


def test_without_ids_a_pair_whose_renderings_differ_is_not_noise() -> None:
    lm = Model("{{ tick }}" + LINE, tokenized_requests=False)
    assert TextEngine(lm, {}).encode("a") is None
    assert reasons(lm) == [NOT_CONSTANT.kind] * 3


def test_marks_at_both_ends_see_what_is_left_out() -> None:
    assert left_out(lambda text: text[-9:], "Why is it blue?") is CUT
    assert left_out(lambda text: text[:15], "Why is it blue?") is None
    assert left_out(lambda text: "", "Why?") is LOST
    assert (CUT.kind, LOST.kind) == ("cut", "lost")


def test_a_clock_does_not_make_every_task_another_system() -> None:
    ticking = Model("{{ tick }}" + LINE)
    assert describe_template(settings(ticking)) == describe_template(settings(ticking))
    clock = Model("{{ strftime_now('%H:%M') }}" + LINE)
    assert describe_template(settings(clock))["rendered_probe"] is None
    date = Model("{# strftime_now('%d %b %Y') #}" + LINE)
    assert describe_template(settings(date))["rendered_probe"] is not None


def test_a_template_that_fails_is_one_sentence_and_not_taken_for_one_that_loses_something() -> None:
    lm = Model("{{ raise_exception('no') }}")
    words = r"could not apply a chat template \(no\)"
    with pytest.raises(InputError, match=words):
        describe_template(settings(lm))
    with pytest.raises(InputError, match=words):
        asked_and_fed(lm, settings(lm, "Answer in French only."), {}, True)


def test_a_switch_whose_other_values_the_template_refuses_is_read() -> None:
    refuses = LINE + "{% if effort not in ('low', 'high') %}{{ raise_exception('no') }}{% endif %}"
    lm = Model(refuses, chat_template_args={"effort": "low"})
    assert record(lm, settings(lm))["effort"] == "low, read by the chat template"


# ---- asked for and fed


def record(lm: Any, asked: dict[str, Any], model_args: dict[str, Any] | None = None) -> dict[str, str]:
    return PromptWrapper(asked_and_fed(lm, asked, model_args or {}, True)).record


NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + LINE
DROPPED = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
SHORT = LINE.replace("m.content", "m.content[:12] if m.role == 'system' else m.content")
THINKS = LINE + "{{ '' if enable_thinking is not defined or enable_thinking else '<think></think>' }}"


@pytest.mark.parametrize(
    ("template", "words"),
    [(NO_SYSTEM, "leaves it out"), (DROPPED, "leaves it out"), (SHORT, "leaves out a part of it")],
)
def test_a_system_instruction_that_is_never_fed_is_refused(template: str, words: str) -> None:
    lm = Model(template)
    with pytest.raises(InputError, match=f"`--system_instruction`: the chat template {words}"):
        asked_and_fed(lm, settings(lm, "Answer in French only."), {}, True)
    assert "system_instruction" not in record(lm, settings(lm))


def test_the_record_says_what_was_fed() -> None:
    lm, chat, told = Model(), Chat(), "Answer in French only."
    found = record(lm, settings(lm, told))
    assert found == {"chat_template": "the engine's default", "system_instruction": "in the prompt"}
    found = record(chat, settings(chat, told))
    assert found["system_instruction"] == "sent; what the server does is not seen"
    found = record(lm, {"system_instruction": told})
    assert found["system_instruction"] == "as text before each prompt"


def test_a_named_template_is_used_for_as_long_as_it_is_asked_for() -> None:
    lm = Model({"default": LINE, "tool_use": "TOOLS" + LINE})
    with chosen_template(lm, "tool_use"):
        assert lm.apply_chat_template([{"role": "user", "content": "Why?"}]).startswith("TOOLS<user>Why?")
    assert lm.apply_chat_template([{"role": "user", "content": "Why?"}]).startswith("<user>Why?")


@pytest.mark.parametrize(
    ("lm", "words"),
    [
        (Model(), "one template without a name"),
        (Model({"default": LINE, "tool_use": LINE}), "Did you mean 'tool_use'"),
        (SimpleNamespace(tokenizer=None), "none that can be chosen"),
        (
            Model({"default": LINE, "tools_use": LINE}, apply_chat_template=lambda history: "fixed"),
            "does not take its template from the tokenizer",
        ),
    ],
)
def test_a_named_template_that_would_not_be_used_is_refused(lm: Any, words: str) -> None:
    with pytest.raises(InputError, match=words), chosen_template(lm, "tools_use"):
        pass


def test_a_switch_that_changes_the_prompt_is_read() -> None:
    for value in (True, False):
        lm = Model(THINKS, chat_template_args={"enable_thinking": value}, enable_thinking=value)
        found = PromptWrapper(asked_and_fed(lm, settings(lm), {}, True))
        assert found.record["enable_thinking"] == f"{value}, read by the chat template"
        assert not found.warnings
        assert lm.chat_template_args == {"enable_thinking": value}, "as it was"


def test_a_switch_that_changes_nothing_is_said_and_refused_where_the_label_would_be_untrue() -> None:
    off = Model(chat_template_args={"enable_thinking": False})
    found = PromptWrapper(asked_and_fed(off, settings(off), {}, True))
    assert "changes nothing" in found.warnings[0] and found.record["enable_thinking"].startswith("not read")
    on = Model(chat_template_args={"enable_thinking": True})
    with pytest.raises(InputError, match="was not done"):
        asked_and_fed(on, settings(on), {}, True)
    with pytest.raises(InputError, match="Chat passes it to no template"):
        asked_and_fed(Chat(), settings(Chat()), {"enable_thinking": "False"}, True)


def test_an_end_of_thinking_is_used_or_refused() -> None:
    asked: dict[str, Any] = {"think_end_token": ":"}
    lm = Model(**asked)
    assert "answer" in record(lm, settings(lm), asked)["think_end_token"]
    with pytest.raises(InputError, match="does not use it"):
        asked_and_fed(Model(), settings(lm), asked, True)


@pytest.mark.parametrize(
    ("text", "reason", "status", "answer"),
    [
        ("plan: result", "end_token", "closed", "result"),
        ("a: b: c\n", "end_token", "closed", "c"),
        ("plan:  ", "end_token", "empty_answer", ""),
        ("no end", "end_token", "none", "no end"),
        ("no end", "length", "unclosed", ""),
        ("", "end_token", "none", ""),
    ],
)
def test_the_answer_follows_the_declared_end_of_thinking(
    text: str, reason: str, status: str, answer: str
) -> None:
    span = after_think_end(Output(text, Trace(np.zeros(0, np.int32), reason, text)), ":")
    assert (span.status, text[span.start : span.end]) == (status, answer)


@pytest.mark.parametrize(
    ("asked", "used", "refused"),
    [
        ("cpu", "cpu", False),
        ("cuda:0", "cpu", False),
        ("cuda", "cuda", False),
        (None, "cpu", False),
        ("banana", "cpu", True),
        ("cpuu", "cpu", True),
        ("cuda:7", "cpu", True),
        ("mps", "cpu", True),
    ],
)
def test_a_device_that_was_replaced_is_refused(asked: str | None, used: str, refused: bool) -> None:
    lm = SimpleNamespace(device=SimpleNamespace(type=used, index=None))
    if not refused:
        check_device(asked, lm)
        return
    with pytest.raises(InputError, match=f"`--device {asked}`: there is no such device here"):
        check_device(asked, lm)


def test_an_argument_that_the_engine_swallowed_is_refused() -> None:
    with pytest.raises(InputError, match=r"and ignores it\. Did you mean `max_length`"):
        record(Model(), {}, {"max_lenght": "64", "model": "m"})


# ---- stop strings and empty answers


def test_answers_that_cannot_be_read_are_a_sentence() -> None:
    lm = Model(answer=lambda context: int("<html>"))
    with pytest.raises(InputError, match="Model could not read the answers to 4 prompts"):
        greedy_generations(lm, list(requests(lm)))


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ((), "Answer to 45 letters. And more."),
        ((".",), "Answer to 45 letters"),
        (("x", "y", "z", "q", " to"), "Answer"),
        (("A",), ""),
    ],
)
def test_no_output_goes_beyond_a_stop_string_whatever_the_server_does(
    until: tuple[str, ...], expected: str
) -> None:
    lm = Model()
    found = greedy_generations(lm, list(requests(lm, until=until)))
    assert str(found[0]) == expected


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_answer_that_never_came_is_no_difference(answer: str) -> None:
    """Neither beside another one, nor beside a text: lm_eval makes an empty text of a null."""
    assert reasons(Model(answer=lambda context: answer)) == ["empty"] * 3
    assert reasons(Model(answer=lambda context: answer if "large" in context else "Yes.")) == [
        None,
        None,
        "empty",
    ]
