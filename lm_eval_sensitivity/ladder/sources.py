"""Reading authored sources: the YAML files in which people write base prompts and variants.

    ladder_version: "0.1.0"
    prompts:
      - id: sky-colours
        category: scientific_explanation
        base: Why does the sky appear blue?
        variants:              # optional, and each of them is
          synonym_1:
            text: Why does the sky look blue?
            reason: How the sky looks is the way it is seen.

Own prompts take the same form. Without `variants` they get the rungs that rules build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder.files import decode_utf8, read_limited
from lm_eval_sensitivity.types import CATEGORIES, Category, Rung

AUTHORED_EDITS: dict[str, Rung] = {
    "synonym_1": "synonym",
    "synonym_2": "synonym",
    "paraphrase_1": "paraphrase",
    "paraphrase_2": "paraphrase",
    "semantic_1": "semantic_change",
    "control_reversal": "positive_control",
    "control_topic": "positive_control",
}
"""The authored edits and their rungs, in the order of the ladder."""

_PROMPT_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class AuthoredVariant:
    """One variant that a person wrote."""

    text: str
    reason: str
    """One sentence: why the variant is on its rung."""


@dataclass(frozen=True)
class AuthoredPrompt:
    """One base prompt and its authored variants."""

    prompt_id: str
    """Lower-case letters and digits joined by hyphens."""
    category: Category
    base: str
    variants: Mapping[str, AuthoredVariant]
    """By edit, a subset of `AUTHORED_EDITS`."""


@dataclass(frozen=True)
class Source:
    """One authored file: the prompts of one subset."""

    ladder_version: str
    prompts: tuple[AuthoredPrompt, ...]


def read_source(path: Path) -> Source:
    """Read one authored YAML file.

    Raises:
        InputError: the file is missing, too large, no YAML, or a field is missing, unknown or of
            another type; the message names the prompt and the field.
    """
    content = _parse(decode_utf8(read_limited(path), path), path)
    where = f"`{path}`"
    top = _mapping(content, where, required=("ladder_version", "prompts"))
    version = _text(top["ladder_version"], "ladder_version", where)
    if not isinstance(top["prompts"], list) or not top["prompts"]:
        raise InputError(
            f"{where}: `prompts` is not a list with at least one prompt. Write one entry per prompt."
        )
    prompts = tuple(_prompt(each, f"{where}, prompt number {n}") for n, each in enumerate(top["prompts"], 1))
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.prompt_id in seen:
            raise InputError(f"{where}: the prompt id {prompt.prompt_id!r} stands there twice. Rename one.")
        seen.add(prompt.prompt_id)
    return Source(version, prompts)


def _prompt(content: object, where: str) -> AuthoredPrompt:
    entry = _mapping(content, where, required=("id", "category", "base"), optional=("variants",))
    prompt_id = _text(entry["id"], "id", where)
    if not _PROMPT_ID.fullmatch(prompt_id):
        raise InputError(
            f"{where}: `id` is {prompt_id!r}; accepted are lower-case letters and digits joined by hyphens. "
            "Rename it."
        )
    where = f"{where.partition(',')[0]}, prompt {prompt_id!r}"
    category = _text(entry["category"], "category", where)
    if category not in CATEGORIES:
        raise InputError(
            f"{where}: `category` is {category!r}; accepted: "
            f"{', '.join(map(repr, CATEGORIES))}.{did_you_mean(category, CATEGORIES)} Correct the name."
        )
    variants = _mapping(entry.get("variants") or {}, f"{where}, variants", optional=tuple(AUTHORED_EDITS))
    return AuthoredPrompt(
        prompt_id,
        category,
        _text(entry["base"], "base", where),
        {edit: _variant(variants[edit], f"{where}, {edit}") for edit in AUTHORED_EDITS if edit in variants},
    )


def _variant(content: object, where: str) -> AuthoredVariant:
    entry = _mapping(content, where, required=("text", "reason"))
    return AuthoredVariant(_text(entry["text"], "text", where), _text(entry["reason"], "reason", where))


def _mapping(
    content: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    accepted = required + optional
    if not isinstance(content, dict):
        raise InputError(f"{where} is not a mapping. Accepted fields: {', '.join(accepted)}.")
    for key in content:
        if key not in accepted:
            raise InputError(
                f"{where}: the field {str(key)[:80]!r} is unknown; accepted: "
                f"{', '.join(accepted)}.{did_you_mean(str(key)[:80], accepted)} Correct or remove it."
            )
    for key in required:
        if key not in content:
            raise InputError(f"{where}: the field `{key}` is missing. Add it.")
    return content


def _text(value: object, field: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{where}: `{field}` is {str(value)[:80]!r} of type {type(value).__name__}; accepted is a text "
            "that is not blank. Put it in quotes."
        )
    return value


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses what YAML would silently accept or expand."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few lines of nested aliases can expand to gigabytes, and no prompt needs one.
            problem = "aliases (`*name`) are not accepted"
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                problem = f"the field `{name}` stands there twice"
                raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _parse(text: str, path: Path) -> object:
    try:
        return _StrictLoader(text).get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        # ValueError: an impossible date; TypeError: a mapping as a key; RecursionError: absurd nesting.
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(
            f"`{path}` is not a readable ladder source{line}: {problem}. Correct the YAML."
        ) from None
