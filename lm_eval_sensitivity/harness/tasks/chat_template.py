"""How prompts are wrapped before the model reads them: another template or system instruction is another system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_template(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The wrapping as a part of the system's identity.

    Args:
        settings: what lm_eval hands to `fewshot_context`.

    Returns:
        `chat_template_applied`, `system_instruction` and, where a template is applied, `rendered_probe`: a fixed
        message as the model would read it.

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
    probe = [{"role": "user", "content": " probe\n"}]
    if instruction:
        probe.insert(0, {"role": "system", "content": instruction})
    # The rendering of a fixed message shows template, switches, system text and any date in it. A
    # tokenizer without a template is reported when the first prompt is rendered.
    try:
        return {**found, "rendered_probe": template(probe)}
    except ValueError:
        return {**found, "rendered_probe": None}
