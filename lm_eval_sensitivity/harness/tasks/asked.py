"""What the user asked for beside the prompts, held against what is fed: rendered with it and without it.

Refused is what would put a label on results that is not true of them: a system instruction, a template or a thinking
switch that never reaches the model. Where nothing untrue is claimed it is a warning, and the record says what was fed.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.tasks.chat_template import LOST, MARK, Render, left_out, messages

THINKING = "enable_thinking"
DEVICES = ("cpu", "cuda", "cuda:0", "mps", "npu:0", "xpu:0", "hpu:0")
FALLS_BACK = ("cuda", "cuda:0")
"""What lm_eval's command takes where nothing is given, and replaces by the CPU where there is no GPU."""


@dataclass(frozen=True)
class Fed:
    """What was fed of one thing that was asked for."""

    option: str
    words: str
    """For the results file."""
    warning: str = ""
    """To be said once per run; empty where there is nothing to warn of."""


def asked_and_fed(
    lm: Any, settings: Mapping[str, Any], model_args: Mapping[str, Any], name: Any
) -> tuple[Fed, ...]:
    """Compare once per run what was asked for with what the model reads.

    Args:
        lm: the model as lm_eval made it; None where it is not seen.
        settings: what lm_eval hands to `build_all_requests`.
        model_args: the run's `--model_args`.
        name: of the chat template, where one was chosen.

    Returns:
        One for each thing that was asked for.

    Raises:
        InputError: something that the results would state never reaches the model.
    """
    instruction = settings.get("system_instruction")
    template: Render | None = settings.get("chat_template") if settings.get("apply_chat_template") else None
    found = [_template(template, name), *_system_instruction(template, instruction)]
    if lm is not None:
        check_arguments(lm, model_args)
        found += [*_switches(lm, template, instruction, model_args), *_think_end_token(lm, model_args)]
    return tuple(found)


def _template(template: Render | None, name: Any) -> Fed:
    if template is None:
        words = "none: the prompts as they are"
    elif not isinstance(template(messages("probe")), str):
        words = "the engine's own: its rendering is not seen here"
    else:
        words = f"the tokenizer's, named {name}" if isinstance(name, str) else "the engine's default"
    return Fed("chat_template", words)


def _system_instruction(template: Render | None, instruction: str | None) -> Iterator[Fed]:
    if not instruction:
        return
    if template is None:
        yield Fed("system_instruction", "as text before each prompt")
        return
    render = template
    lost = left_out(lambda text: render(messages("probe", text)), instruction)
    if lost is not None:
        what = "leaves it out" if lost is LOST else "leaves out a part of it"
        raise InputError(
            f"`--system_instruction`: the chat template {what}, so that the model would never read what the results "
            "say it was told. Leave the option out, or use a template that takes a system message."
        )
    seen = isinstance(template(messages("probe", instruction)), str)
    yield Fed("system_instruction", "in the prompt" if seen else "sent; what the server does is not seen")


# ---- switches of the template


def _switches(
    lm: Any, template: Render | None, instruction: str | None, model_args: Mapping[str, Any]
) -> Iterator[Fed]:
    switches = dict(getattr(lm, "chat_template_args", None) or {})
    thinking = getattr(lm, THINKING, None)
    if thinking is not None:
        switches.setdefault(THINKING, thinking)
    if THINKING in model_args and THINKING not in switches:
        _refuse_switch(
            THINKING, model_args[THINKING], f"the engine {type(lm).__name__} passes it to no template"
        )
    for name, value in switches.items():
        if template is None:
            yield _not_read(name, value, "no chat template is applied")
        elif _reads(lm, template, messages("probe", instruction), name, value):
            yield Fed(name, f"{value}, read by the chat template")
        else:
            yield _not_read(name, value, "the chat template renders the same with it and without it")


def _not_read(name: str, value: Any, why: str) -> Fed:
    """Nothing to turn off is no untrue label; nothing that was turned on is one."""
    if value is True:
        _refuse_switch(name, value, why)
    return Fed(name, f"not read: {why}", f"`--model_args {name}={value}` changes nothing: {why}.")


def _refuse_switch(name: str, value: Any, why: str) -> None:
    raise InputError(
        f"`--model_args {name}={value}`: {why}, so that results would be labeled with something that was not done. "
        "Leave it out."
    )


def _reads(lm: Any, template: Render, probe: list[dict[str, str]], name: str, value: Any) -> bool:
    """Whether some other value of a switch, or none, gives another prompt."""
    fed = template(probe)
    if not isinstance(fed, str):
        return True  # it is rendered elsewhere
    others = [None, MARK, *([not value] if isinstance(value, bool) else [])]
    for other in others:
        with _switched(lm, name, other):
            try:
                if template(probe) != fed:
                    return True
            except InputError:  # a template that refuses a value has read it
                return True
    return False


@contextlib.contextmanager
def _switched(lm: Any, name: str, value: Any) -> Iterator[None]:
    """The model with another value of a switch of its template; None leaves the switch out."""
    before = {each: getattr(lm, each) for each in ("chat_template_args", THINKING) if hasattr(lm, each)}
    arguments = {key: each for key, each in (before.get("chat_template_args") or {}).items() if key != name}
    try:
        if name == THINKING and THINKING in before:
            lm.enable_thinking = value
        if name in (before.get("chat_template_args") or {}):
            lm.chat_template_args = arguments if value is None else {**arguments, name: value}
        yield
    finally:
        for each, found in before.items():
            setattr(lm, each, found)


# ---- the end of thinking


def _think_end_token(lm: Any, model_args: Mapping[str, Any]) -> Iterator[Fed]:
    asked = model_args.get("think_end_token")
    if asked is None:
        return
    if getattr(lm, "think_end_token", None) is None:
        raise InputError(
            f"`--model_args think_end_token={asked}`: the engine {type(lm).__name__} does not use it. Leave it out: "
            "the filter answer finds the ends of reasoning that it knows."
        )
    yield Fed("think_end_token", f"{asked!r}: the answer is what follows the last one")


# ---- arguments of the engine


def check_arguments(lm: Any, model_args: Mapping[str, Any]) -> None:
    """Refuse a misspelt argument that the engine swallowed: some take any name and use only those that they know.

    Args:
        lm: the model as lm_eval made it.
        model_args: the run's `--model_args`.

    Raises:
        InputError: a name that is none of the constructor's, and nearly one.
    """
    accepted = {
        name
        for kind in type(lm).__mro__
        if "__init__" in vars(kind) and kind is not object
        for name in inspect.signature(kind).parameters
    }
    for name in model_args:
        near = difflib.get_close_matches(str(name), accepted, n=1, cutoff=0.85)
        if near and name not in accepted:
            raise InputError(
                f"`--model_args {name}=...`: {type(lm).__name__} takes no such argument and ignores it. Did you mean "
                f"`{near[0]}`?"
            )


def check_device(asked: str | None, lm: Any) -> None:
    """Refuse a device that lm_eval replaced by another one without a word.

    Args:
        asked: `--device`.
        lm: the model as lm_eval made it.

    Raises:
        InputError: it is on another kind of device, or on another one of that kind.
    """
    used: Any = getattr(lm, "device", None)
    if asked is None or asked in FALLS_BACK or not hasattr(used, "type") or hasattr(lm, "accelerator"):
        return
    kind, _, number = str(asked).partition(":")
    if kind != used.type or (number and used.index is not None and number != str(used.index)):
        raise InputError(
            f"`--device {asked}`: there is no such device here, and lm_eval took {used} instead."
            f"{did_you_mean(str(asked), DEVICES)} Accepted: {', '.join(DEVICES)}, as far as they are there."
        )
