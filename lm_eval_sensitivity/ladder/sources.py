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

Own prompts take the same form. Without `variants` they get the rungs that rules build, and without
`category` they are uncategorized.

The published ladder has a folder of them, one file per category, and beside them `ladder.yaml`, which
holds what they share: the version, and which prompts the smaller subsets hold.

    ladder_version: "1.0.0"
    subsets:
      core: [sky-colours, train-journey]
      mini: [sky-colours]
    spread:                    # optional: the subset `spread`, few edits of every prompt
      budget: 620              # generations of a run of it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from lm_eval_sensitivity.errors import InputError, did_you_mean, unknown_name
from lm_eval_sensitivity.ladder.files import decode_text, read_limited
from lm_eval_sensitivity.types import CATEGORIES, UNCATEGORIZED, Category, Rung

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

LADDER_FILE = "ladder.yaml"
FULL = "full"
SPREAD = "spread"
SMALLER_SUBSETS = ("core", "mini")
"""Names of the subsets that `ladder.yaml` may list, the larger one first."""

Design = Literal["full", "spread"]
"""How the edits of a ladder are laid out over its prompts."""

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
    """The prompts of one subset."""

    ladder_version: str
    prompts: tuple[AuthoredPrompt, ...]
    own_edits: Mapping[str, Rung] = field(default_factory=dict)
    """Edits that prompts have variants of besides `AUTHORED_EDITS`, and their rungs, in the order of the ladder."""
    design: Design = "full"
    """`full` builds every pair, `spread` few of every prompt."""
    budget: int | None = None
    """Most generations of a spread design; None sets no limit."""


def read_source(path: Path) -> Source:
    """Read one authored YAML file that stands alone.

    Returns:
        Version and prompts, in the order of the file.

    Raises:
        InputError: the file is missing, too large, no YAML, or a field is missing, unknown or of
            another type; the message names the prompt and the field.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.yaml"
        >>> _ = path.write_text('{ladder_version: "1", prompts: [{id: tea, base: Which tea}]}')
        >>> read_source(path).prompts[0].base
        'Which tea'
    """
    where = f"`{path}`"
    top = _mapping(_parse(path), where, required=("ladder_version", "prompts"))
    version = _text(top["ladder_version"], "ladder_version", where)
    prompts = _prompts(top["prompts"], where)
    check_prompt_ids(prompts, where)
    return Source(version, prompts)


def read_sources(folder: Path) -> dict[str, Source]:
    """Read a folder of authored YAML files: every subset by its name, the largest first.

    The subset `full` has all prompts, in the order of `CATEGORIES` and then of the files. The others
    are named in `ladder.yaml`; each is part of the one named before it.

    Returns:
        `full` first, then `spread`, `core` and `mini` where `ladder.yaml` has them.

    Raises:
        InputError: as `read_source`; or `ladder.yaml` is missing, a subset names a prompt that does not
            exist, names one twice, or is no part of the larger one.
    """
    top_file = folder / LADDER_FILE
    where = f"`{top_file}`"
    top = _mapping(_parse(top_file), where, required=("ladder_version", "subsets"), optional=(SPREAD,))
    version = _text(top["ladder_version"], "ladder_version", where)
    found: list[AuthoredPrompt] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name != LADDER_FILE:
            content = _mapping(_parse(path), f"`{path}`", required=("prompts",))
            found += _prompts(content["prompts"], f"`{path}`")
    check_prompt_ids(found, f"`{folder}`")
    order = (*CATEGORIES, UNCATEGORIZED)
    subsets = {FULL: tuple(sorted(found, key=lambda prompt: order.index(prompt.category)))}
    larger = FULL
    chosen = _mapping(top["subsets"], f"{where}, subsets", optional=SMALLER_SUBSETS)
    for name in SMALLER_SUBSETS:
        if name in chosen:
            subsets[name] = _choose(subsets[larger], chosen[name], f"{where}, subset `{name}`", larger)
            larger = name
    full = Source(version, subsets.pop(FULL))
    smaller = {name: Source(version, prompts) for name, prompts in subsets.items()}
    if SPREAD not in top:
        return {FULL: full, **smaller}
    budget = _budget(top[SPREAD], f"{where}, {SPREAD}")
    return {FULL: full, SPREAD: replace(full, design="spread", budget=budget), **smaller}


def read_variants(path: Path) -> dict[str, str]:
    """Variants of one prompt from a YAML file: a mapping of authored edits to texts.

    Returns:
        Text by edit, in the order of the file.

    Raises:
        InputError: the file is missing or no YAML, an edit is unknown, or a text is none.
    """
    where = f"`{path}`"
    content = _mapping(_parse(path), where, optional=tuple(AUTHORED_EDITS))
    return {edit: _text(text, edit, where) for edit, text in content.items()}


def check_prompt_ids(prompts: Iterable[AuthoredPrompt], where: str) -> None:
    """Refuse a prompt id that stands there twice.

    Raises:
        InputError: the id.
    """
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.prompt_id in seen:
            raise InputError(f"{where}: the prompt id {prompt.prompt_id!r} stands there twice. Rename one.")
        seen.add(prompt.prompt_id)


def _choose(
    prompts: Sequence[AuthoredPrompt], ids: object, where: str, larger: str
) -> tuple[AuthoredPrompt, ...]:
    """The prompts of the larger subset that a smaller one names, in the order of the larger one."""
    known = [prompt.prompt_id for prompt in prompts]
    if not isinstance(ids, list) or not ids:
        raise InputError(f"{where} is not a list with at least one prompt id. Write a list of ids.")
    for each in ids:
        if each not in known:
            raise InputError(
                f"{where} names the prompt {str(each)[:80]!r}, which the subset `{larger}` does not have."
                f"{did_you_mean(str(each)[:80], known)} Correct the id, or add it there first."
            )
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise InputError(f"{where} names the prompt {twice!r} twice. Remove one.")
    return tuple(prompt for prompt in prompts if prompt.prompt_id in ids)


def _budget(content: object, where: str) -> int:
    budget = _mapping(content, where, required=("budget",))["budget"]
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise InputError(f"{where}: `budget` is {str(budget)[:80]!r}; accepted is a whole number above 0.")
    return budget


def _prompts(content: object, where: str) -> tuple[AuthoredPrompt, ...]:
    if not isinstance(content, list) or not content:
        raise InputError(
            f"{where}: `prompts` is not a list with at least one prompt. Write one entry per prompt."
        )
    return tuple(_prompt(each, f"{where}, prompt number {n}") for n, each in enumerate(content, 1))


def _prompt(content: object, where: str) -> AuthoredPrompt:
    entry = _mapping(content, where, required=("id", "base"), optional=("category", "variants"))
    prompt_id = check_prompt_id(_text(entry["id"], "id", where), where)
    where = f"{where.rpartition(',')[0]}, prompt {prompt_id!r}"
    category = check_category(_text(entry.get("category", UNCATEGORIZED), "category", where), where)
    variants = _mapping(entry.get("variants") or {}, f"{where}, variants", optional=tuple(AUTHORED_EDITS))
    return AuthoredPrompt(
        prompt_id,
        category,
        _text(entry["base"], "base", where),
        {edit: _variant(variants[edit], f"{where}, {edit}") for edit in AUTHORED_EDITS if edit in variants},
    )


def check_prompt_id(prompt_id: str, where: str) -> str:
    """Refuse an id that could not stand in a pair id.

    Args:
        prompt_id: as it was read.
        where: its place, which opens the message.

    Returns:
        The id as it is.

    Raises:
        InputError: it is not lower-case letters and digits joined by hyphens.

    Example:
        >>> check_prompt_id("green-tea", "`a.csv`, row 1")
        'green-tea'
    """
    if not _PROMPT_ID.fullmatch(prompt_id):
        raise InputError(
            f"{where}: `id` is {prompt_id[:80]!r}; accepted are lower-case letters and digits joined by hyphens. "
            "Rename it."
        )
    return prompt_id


def check_category(category: str, where: str) -> Category:
    """Refuse a category that there is not.

    Args:
        category: as it was read.
        where: its place, which opens the message.

    Returns:
        The category as it is; `UNCATEGORIZED` is one.

    Raises:
        InputError: another name.
    """
    accepted = (*CATEGORIES, UNCATEGORIZED)
    if category not in accepted:
        raise unknown_name(f"{where}: `category`", category, accepted)
    return category


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


def _parse(path: Path) -> object:
    text = decode_text(read_limited(path, "file"), path)
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
