"""The decoding settings of a run: greedy or sampled at a temperature, a token limit, stop strings; nothing else."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder.cost import LIMIT_NAMES, TOKEN_LIMIT

_ACCEPTED = (*LIMIT_NAMES, "until", "do_sample", "temperature")
_TRUNCATIONS = ("top_p", "top_k", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")

DEFAULT_TEMPERATURE = 0.1
"""As near to greedy as engines commonly go and still sample. Also in the YAML of the sampling tasks, to be seen."""

SEED = "seed"
"""In the settings of a sampled request, beside those of lm_eval."""


@dataclass(frozen=True)
class Decoding:
    """Greedy decoding up to `max_gen_toks` new tokens, ended by an end token or a stop string."""

    max_gen_toks: int
    until: tuple[str, ...]

    @property
    def greedy(self) -> bool:
        """Whether every token is the most probable one."""
        return True

    def as_gen_kwargs(self) -> dict[str, Any]:
        """The form that every lm_eval engine's `generate_until` understands.

        Returns:
            Names of `--gen_kwargs` to values.

        Example:
            >>> Decoding(8, ()).as_gen_kwargs()
            {'until': [], 'do_sample': False, 'temperature': 0.0, 'max_gen_toks': 8}
        """
        return {
            "until": list(self.until),
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": self.max_gen_toks,
        }

    def as_dict(self) -> dict[str, object]:
        """For result files: what two runs must have in common to be compared.

        Returns:
            JSON values by name, `greedy` among them.

        Example:
            >>> Decoding(8, ()).as_dict()
            {'max_gen_toks': 8, 'until': [], 'greedy': True}
        """
        return {**asdict(self), "until": list(self.until), "greedy": self.greedy}


@dataclass(frozen=True)
class SampledDecoding(Decoding):
    """Ancestral sampling from the whole next-token distribution at a temperature, ended in the same ways."""

    temperature: float = DEFAULT_TEMPERATURE
    seed: int = field(default=0, repr=False)
    """Of the run's samples; another one draws other samples of the same system."""

    def as_dict(self) -> dict[str, object]:
        """For result files: what two runs must have in common to be compared; the seed is not part of it."""
        return {name: value for name, value in super().as_dict().items() if name != SEED}

    @property
    def greedy(self) -> bool:
        """Whether every token is the most probable one."""
        return False

    def as_gen_kwargs(self) -> dict[str, Any]:
        """The form that every lm_eval engine's `generate_until` understands."""
        return {**super().as_gen_kwargs(), "do_sample": True, "temperature": self.temperature}


def parse_decoding(gen_kwargs: Mapping[str, Any]) -> Decoding:
    """Read lm_eval's `generation_kwargs`, refusing whatever would not be greedy.

    Returns:
        Token limit and stop strings; defaults where they are not given.

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


def parse_sampled_decoding(gen_kwargs: Mapping[str, Any]) -> SampledDecoding:
    """Read lm_eval's `generation_kwargs` for tasks that sample.

    Returns:
        The same with temperature.

    Raises:
        InputError: an unknown setting, one that cuts the distribution off, a temperature that is not above 0,
            or a limit that is not a positive whole number.

    Example:
        >>> parse_sampled_decoding({"max_gen_toks": 64, "do_sample": True, "temperature": 0.7})
        SampledDecoding(max_gen_toks=64, until=(), temperature=0.7)
    """
    for name, value in gen_kwargs.items():
        if name in _TRUNCATIONS:
            raise InputError(
                f"`--gen_kwargs`: `{name}={value}` is not accepted by prompt_sensitivity_sampling tasks, which sample "
                "from the whole distribution, so that a distance between outputs is one between distributions of the "
                "model itself. Leave it out; a lower temperature narrows the distribution."
            )
        if name not in _ACCEPTED:
            raise InputError(
                f"`--gen_kwargs`: `{name}={value}` is not accepted by prompt_sensitivity_sampling tasks; accepted: "
                f"{', '.join(_ACCEPTED)}.{did_you_mean(name, _ACCEPTED)}"
            )
    given = gen_kwargs.get("temperature")
    temperature = DEFAULT_TEMPERATURE if given is None else _number(given, "temperature")
    if gen_kwargs.get("do_sample") is False or not (math.isfinite(temperature) and temperature > 0):
        raise InputError(
            f"`--gen_kwargs`: do_sample={gen_kwargs.get('do_sample')}, temperature={given}: "
            "prompt_sensitivity_sampling tasks sample, at a temperature above 0. For greedy outputs run the "
            "prompt_sensitivity tasks."
        )
    return SampledDecoding(
        max_gen_toks=_token_limit(gen_kwargs),
        until=_stop_strings(gen_kwargs.get("until")),
        temperature=temperature,
    )


def seed_of(decoding: SampledDecoding, prompt: str, replicate: int) -> int:
    """A seed of its own for each sample of each prompt, so that none is tied to another.

    Args:
        decoding: with the run's seed.
        prompt: as text.
        replicate: number of the sample.

    Returns:
        31 bits, which every engine takes.

    Example:
        >>> decoding = SampledDecoding(8, ())
        >>> seed_of(decoding, "Why?", 0) == seed_of(decoding, "Why?", 1)
        False
    """
    name = json.dumps(["sample", decoding.seed, prompt, replicate])
    return int.from_bytes(hashlib.sha256(name.encode("ascii")).digest()[:4], "little") >> 1


def _token_limit(gen_kwargs: Mapping[str, Any]) -> int:
    limits = {name: gen_kwargs[name] for name in LIMIT_NAMES if gen_kwargs.get(name) is not None}
    if not limits:
        # Not in the task's YAML: lm_eval merges `--gen_kwargs` into that, and an alias given there would lose.
        return TOKEN_LIMIT
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
