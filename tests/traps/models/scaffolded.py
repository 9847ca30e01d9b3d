"""A model that thinks in one and the same way before every answer, and its twins that mark this off otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.ladder import load_ladder
from tests.traps.models.phrases import PREAMBLE, passage, sentences
from tests.traps.models.written_model import Script, write_model

ANSWERED = ("rivers", "bread", "chess", "stars", "law", "whales", "trains", "vaccines", "violins")
"""Topics of the answers, one per prompt. Eight of the nine begin with the same word, "the", which is no part of the
preamble."""
N_ANSWER = 100
"""Phrases, and so tokens, of every answer."""
SCAFFOLD = ("<think>", *PREAMBLE, "</think>")
TEXTUAL_SCAFFOLD = (" I begin slowly,", *PREAMBLE, " and that will do,")
"""The same without tags."""
MOVING_EDIT = "paraphrase_1"
"""Under it the answer is about something else."""


@cache
def answers() -> Mapping[str, list[str]]:
    """Prompt -> phrases of its answer, the same behind every scaffold."""
    pairs = load_ladder(None, "mini").rung("paraphrase")
    prompts = sorted({pair.prompt_id for pair in pairs})
    found = {}
    for pair in pairs:
        number = prompts.index(pair.prompt_id)
        topic, other = ANSWERED[number % len(ANSWERED)], ANSWERED[(number + 1) % len(ANSWERED)]
        found[pair.base] = passage(topic, N_ANSWER)
        found[pair.variant] = passage(other if pair.edit == MOVING_EDIT else topic, N_ANSWER)
    return found


LONG_TOPICS = (("rivers", "bread", "chess"), ("stars", "law", "whales"))
"""Of the two long answers."""


@cache
def long_answers() -> Mapping[str, list[str]]:
    """The two prompts of the first pair -> sentences of an answer that goes on beyond 512 tokens."""
    pair = load_ladder(None, "mini").rung("paraphrase")[0]
    texts = pair.base, pair.variant
    return {
        text: [sentence for topic in topics for sentence in sentences(topic)]
        for text, topics in zip(texts, LONG_TOPICS, strict=True)
    }


def long_plain(folder: Path) -> None:
    """Long answers at once."""
    write_model(folder, Script(long_answers()))


def long_tagged(folder: Path) -> None:
    """Thinks between tags before a long answer."""
    write_model(folder, Script({prompt: [*SCAFFOLD, *answer] for prompt, answer in long_answers().items()}))


def plain(folder: Path) -> None:
    """Answers at once."""
    write_model(folder, Script(answers()))


def tagged(folder: Path) -> None:
    """Thinks between tags first."""
    write_model(folder, Script({prompt: [*SCAFFOLD, *answer] for prompt, answer in answers().items()}))


def opened_by_the_template(folder: Path, source: Path) -> None:
    """The template writes the opening tag: the ids are the same, and the output begins later."""
    template = (demo_model_path() / "chat_template.jinja").read_text(encoding="utf-8")
    opened = template.replace("'<|assistant|>'", "'<|assistant|><think>'")
    assert opened != template, "the template says once where the answer begins"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "chat_template.jinja").write_text(opened, encoding="utf-8")


def textual(folder: Path, source: Path) -> None:
    """The same weights with words in place of the tags."""
    _rename_tokens(folder, source, dict(zip(SCAFFOLD, TEXTUAL_SCAFFOLD, strict=True)))


def unclosed(folder: Path, source: Path) -> None:
    """The same weights with a word in place of the closing tag: it thinks to the end."""
    _rename_tokens(folder, source, {"</think>": " or so it seems,"})


def _rename_tokens(folder: Path, source: Path, names: Mapping[str, str]) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    for token in tokenizer["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
