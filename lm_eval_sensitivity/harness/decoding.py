"""The decoding settings of a run: greedy, a token limit, optional stop strings; nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean

_LIMIT_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_ACCEPTED = (*_LIMIT_NAMES, "until", "do_sample", "temperature")

DEFAULT_MAX_GEN_TOKS = 512
"""Not in the task's YAML: lm_eval merges `--gen_kwargs` into that, and an alias given there would lose."""


@dataclass(frozen=True)
class Decoding:
    """Greedy decoding up to `max_gen_toks` new tokens, ended by an end token or a stop string."""

    max_gen_toks: int
    until: tuple[str, ...]

    def as_gen_kwargs(self) -> dict[str, Any]:
        """The form that every lm_eval engine's `generate_until` understands."""
        return {
            "until": list(self.until),
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": self.max_gen_toks,
        }

    def as_dict(self) -> dict[str, object]:
        """For result files: what two runs must have in common to be compared."""
        return {**asdict(self), "until": list(self.until), "greedy": True}


def parse_decoding(gen_kwargs: Mapping[str, Any]) -> Decoding:
    """Read lm_eval's `generation_kwargs`, refusing whatever would not be greedy.

    Raises:
        InputError: an unknown setting, sampling, or a limit that is not a positive whole number.

    Example:
        >>> parse_decoding({"until": [], "max_gen_toks": 64, "do_sample": False})
        Decoding(max_gen_toks=64, until=())
    """
    for name in gen_kwargs:
        if name not in _ACCEPTED:
            raise InputError(
                f"`--gen_kwargs`: `{name}={gen_kwargs[name]}` is not accepted by prompt_sensitivity tasks, which "
                f"decode greedily; accepted: {', '.join(_ACCEPTED)}.{did_you_mean(name, _ACCEPTED)}"
            )
    if gen_kwargs.get("do_sample") or _number(gen_kwargs.get("temperature") or 0, "temperature") != 0:
        raise InputError(
            f"`--gen_kwargs`: do_sample={gen_kwargs.get('do_sample')}, temperature="
            f"{gen_kwargs.get('temperature')}: prompt_sensitivity tasks decode greedily, because sampling "
            "noise would be taken for sensitivity. Leave both out, or give do_sample=False,temperature=0."
        )
    return Decoding(max_gen_toks=_token_limit(gen_kwargs), until=_stop_strings(gen_kwargs.get("until")))


def _token_limit(gen_kwargs: Mapping[str, Any]) -> int:
    limits = {name: gen_kwargs[name] for name in _LIMIT_NAMES if gen_kwargs.get(name) is not None}
    if not limits:
        return DEFAULT_MAX_GEN_TOKS
    for name, limit in limits.items():
        number = _number(limit, name)
        if not math.isfinite(number) or number != int(number) or number < 1:
            raise InputError(f"`--gen_kwargs`: `{name}={limit}` must be a whole number of tokens, 1 or more.")
    if len({int(float(limit)) for limit in limits.values()}) > 1:
        given = ", ".join(f"{name}={limit}" for name, limit in limits.items())
        raise InputError(
            f"`--gen_kwargs`: {given} are different limits for the same thing. Give one of them."
        )
    return int(float(next(iter(limits.values()))))


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"`--gen_kwargs`: `{name}={value}` is not a number.") from None


def _stop_strings(until: Any) -> tuple[str, ...]:
    strings = [until] if isinstance(until, str) else list(until or [])
    if any(not isinstance(string, str) or not string for string in strings):
        raise InputError(
            f"`--gen_kwargs`: `until={until}` must be a stop string or a list of them, none empty."
        )
    return tuple(strings)
