"""How prompts are wrapped before the model reads them: another template or system instruction is another system."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.types import Missing

Render = Callable[[list[dict[str, str]]], Any]
"""Messages -> what the engine is given; `apply_chat_template` of lm_eval's models."""

MARK = "zqvxkj"
"""A word that no template and no prompt holds; letters only, so that a template that changes case leaves it one."""

CUT = Missing("cut", "the chat template leaves out a part of the prompt")
LOST = Missing("lost", "the chat template leaves out the prompt")

RENDERINGS = 4
"""Of one message, to see whether a template is constant."""
_TIME_OF_DAY = re.compile(r"strftime_now\(\s*(['\"])(?:(?!\1).)*%[-#]?[HIMSfpcXrRTs]")


@dataclass(frozen=True)
class Rendered:
    """A prompt as the engine is given it."""

    context: Any
    obstacle: Missing | None = None
    """Why nothing may be scored of it."""


def refused_in_words(template: Render) -> Render:
    """The same template, whose errors are a sentence: templates are programs, which raise anything.

    Args:
        template: of an engine; it may be none at all, which only rendering shows.

    Returns:
        Renders the same.

    Example:
        >>> refused_in_words(lambda history: history[1])(messages("Why?"))
        Traceback (most recent call last):
        lm_eval_sensitivity.errors.InputError: `--apply_chat_template`: this model's tokenizer could not apply ...
    """

    @functools.wraps(template)
    def render(history: list[dict[str, str]], **options: Any) -> Any:
        try:
            return template(history, **options)
        except Exception as error:  # noqa: BLE001 - templates are programs: they raise anything
            raise InputError(
                f"`--apply_chat_template`: this model's tokenizer could not apply a chat template ({error}). Leave "
                "the flag out for a base model, or use a tokenizer that has a template for these messages."
            ) from None

    return render


def describe_template(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The wrapping as a part of the system's identity.

    Args:
        settings: what lm_eval hands to `fewshot_context`.

    Returns:
        `chat_template_applied`, `system_instruction` and, where a template is applied, `rendered_probe`: a fixed
        message as the model would read it. Where that is never twice the same, `template_source` instead.

    Raises:
        InputError: as the template, see `refused_in_words`.

    Example:
        >>> describe_template({"system_instruction": "Be brief."})
        {'chat_template_applied': False, 'system_instruction': 'Be brief.'}
    """
    applied = bool(settings.get("apply_chat_template"))
    instruction = settings.get("system_instruction")
    found = {"chat_template_applied": applied, "system_instruction": instruction}
    template = settings.get("chat_template") if applied else None
    if template is None:
        return found
    # White space at its edges shows whether the template trims what it is given.
    probe = messages(" probe\n", instruction)
    # The rendering of a fixed message shows template, switches, system text and any date in it.
    if is_constant(template, probe) and not _TIME_OF_DAY.search(_source(template)):
        return {**found, "rendered_probe": template(probe)}
    return {**found, "rendered_probe": None, "template_source": _source(template) or None}


def messages(text: str, instruction: str | None = None) -> list[dict[str, str]]:
    """A user's message, after a system message where there is one.

    Example:
        >>> [message["role"] for message in messages("Why?", "Be brief.")]
        ['system', 'user']
    """
    user = {"role": "user", "content": text}
    return [{"role": "system", "content": instruction}, user] if instruction else [user]


def is_constant(template: Render, probe: list[dict[str, str]]) -> bool:
    """Whether a template renders a message the same way each time; a clock of whole seconds is not seen.

    Returns:
        False where `RENDERINGS` of them differ.

    Example:
        >>> is_constant(str, messages("Why?"))
        True
    """
    return len({context_text(template(probe)) for _ in range(RENDERINGS)}) == 1


def same_around(contexts: tuple[Any, Any], texts: tuple[str, str]) -> bool:
    """Whether two rendered prompts are the same but for the user's texts in them.

    Args:
        contexts: of base and variant.
        texts: of base and variant.

    Returns:
        False also where a text does not stand in its prompt as it is.

    Example:
        >>> same_around(("9:01 Why?", "9:02 Why"), ("Why?", "Why"))
        False
    """
    around = []
    for context, text in zip(contexts, texts, strict=True):
        if not isinstance(context, str) or text.strip() not in context:
            return False
        around.append(context.replace(text if text in context else text.strip(), MARK))
    return around[0] == around[1]


def left_out(render: Callable[[str], Any], text: str) -> Missing | None:
    """What a template does not let through of a text: seen by the text, or, where it is changed, a mark at either end.

    Args:
        render: puts a text into its place in the template.
        text: of a message.

    Returns:
        `LOST` where not even a mark alone arrives; None where the text does, whatever becomes of its case and the
        white space around it, or most of its words and a mark at both ends; else `CUT`.

    Example:
        >>> left_out("<user>{}".format, "Why?") is None, left_out(lambda text: text[:9], "Why is it blue?").kind
        (True, 'cut')
        >>> left_out(lambda text: "<user>", "Why?").kind
        'lost'
    """

    def rendered(message: str) -> str:
        return context_text(render(message)).casefold()

    if MARK not in rendered(MARK):
        return LOST
    found = rendered(text)
    if text.strip().casefold() in found:
        return None
    words = re.findall(r"\w+", text.casefold())
    there = sum(word in found for word in words)
    marked = all(MARK in rendered(message) for message in (f"{MARK} {text}", f"{text} {MARK}"))
    return None if marked and 2 * there > len(words) else CUT


def _source(template: Render) -> str:
    """The text of the template that an engine's tokenizer uses; empty where it is not seen."""
    tokenizer = getattr(getattr(inspect.unwrap(template), "__self__", None), "tokenizer", None)
    found = getattr(tokenizer, "chat_template", None)
    if isinstance(found, dict):
        found = found.get("default")
    return found if isinstance(found, str) else ""


def check_template_name(lm: Any, name: bool | str | None) -> None:
    """A template of this name must exist.

    Args:
        lm: the model as lm_eval made it.
        name: of the template; anything but a text names none.

    Raises:
        InputError: there is no such template.
    """
    if not isinstance(name, str):
        return
    templates = getattr(getattr(lm, "tokenizer", None), "chat_template", None)
    there = list(templates) if isinstance(templates, dict) else []
    if name in there:
        return
    known = ", ".join(there) or "one template without a name"
    known = known if templates is not None else "none that can be chosen"
    raise InputError(
        f"`--apply_chat_template {name}`: the tokenizer has no chat template of this name; it has {known}."
        f"{did_you_mean(name, there)} Leave the name out."
    )


@contextlib.contextmanager
def chosen_template(lm: Any, name: bool | str | None) -> Iterator[None]:
    """Render with the template of this name, for the time of the block.

    lm_eval hands the name to no engine: each takes the tokenizer's default template, while the results state the named
    one.

    Args:
        lm: the model as lm_eval made it.
        name: of the template; anything but a text changes nothing.

    Raises:
        InputError: as `check_template_name`, or the engine takes none from its tokenizer.
    """
    if not isinstance(name, str):
        yield
        return
    check_template_name(lm, name)
    tokenizer = lm.tokenizer
    templates = tokenizer.chat_template
    try:
        tokenizer.chat_template = MARK
        if MARK not in str(lm.apply_chat_template(messages("probe"))):
            raise InputError(
                f"`--apply_chat_template {name}`: this engine ({type(lm).__name__}) does not take its template from "
                "the tokenizer, and would use another one. Leave the name out."
            )
        tokenizer.chat_template = templates[name]
        yield
    finally:
        tokenizer.chat_template = templates
