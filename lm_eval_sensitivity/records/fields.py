"""One value in a stranger's JSON, with the place where it stands, so that every refusal can name it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.text.escape import inert, shown

LONGEST_TEXT = 2_000
"""Characters of a name, an id or a reason; outputs and prompts are not read through `text`."""

_ADVICE = "Take the file as lm_eval wrote it, or repeat the run."


@dataclass(frozen=True)
class Field:
    """A value and its place. `field["a"]["b"].text()` reads, checks and, where need be, refuses.

    Every method that reads raises InputError for a value that is not accepted.

    Example:
        >>> row = Field({"pair": {"schema_version": "one"}}, "`samples.jsonl`, line 3")
        >>> try:
        ...     row["pair"]["schema_version"].integer()
        ... except ValueError as error:
        ...     print(error)
        `samples.jsonl`, line 3: `pair.schema_version` is 'one'; accepted is a whole number from 0. Take ...
    """

    value: Any
    place: str
    """File and line; opens every message."""
    name: str = ""
    """Dotted name of the field below that place; empty for the whole."""
    advice: str = _ADVICE
    """What to do; closes every message."""

    def __getitem__(self, key: str) -> Field:
        found = self.get(key)
        if found is None:
            raise InputError(f"{self.place}: `{inert(self._below(key))}` is missing. {self.advice}")
        return found

    def get(self, key: str) -> Field | None:
        """The field of that name, or None where there is none."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return self._inner(self.value[key], self._below(key)) if key in self.value else None

    def items(self) -> Iterator[tuple[str, Field]]:
        """The names and fields of an object."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return ((key, self._inner(value, self._below(key))) for key, value in self.value.items())

    def list_of(self, length: int) -> list[Field]:
        """The items of a list of exactly that length."""
        if not isinstance(self.value, list) or len(self.value) != length:
            self.refuse(f"a list of {length}")
        return self.list_up_to(length)

    def list_up_to(self, most: int) -> list[Field]:
        """The items of a list of at most that length."""
        if not isinstance(self.value, list) or len(self.value) > most:
            self.refuse(f"a list of at most {most}")
        return [self._inner(value, f"{self.name}[{i}]") for i, value in enumerate(self.value)]

    @property
    def is_null(self) -> bool:
        """Whether the value is null."""
        return self.value is None

    def text(self, longest: int = LONGEST_TEXT) -> str:
        """A text that is not blank."""
        value = self.value
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.refuse(f"a text of 1 to {longest} characters")
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                self.refuse("a text without halves of surrogate pairs")
        return value

    def any_text(self) -> str:
        """A text of any length and content; it goes into no table and no message."""
        if not isinstance(self.value, str):
            self.refuse("a text")
        return str(self.value)

    def one_of(self, accepted: Collection[str]) -> str:
        """One of the known names."""
        if not isinstance(self.value, str) or self.value not in accepted:
            self.refuse(f"one of {', '.join(map(repr, accepted))}")
        return str(self.value)

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return bool(self.value)

    def integer(self, lowest: int = 0) -> int:
        """A whole number of at most 2^31 - 1."""
        value = self.value
        if type(value) is not int or not lowest <= value < 2**31:  # a bool is an int in Python
            self.refuse(f"a whole number from {lowest}")
        return int(value)

    def number(self, lowest: float = -math.inf, highest: float = math.inf, rounding: float = 0.0) -> float:
        """A finite number in a range, or as far outside as rounding takes it."""
        value = self.value
        # NaN and infinities fail the comparisons; an integer beyond the range of a float is refused by them, too.
        low, high = max(lowest - rounding, -1e300), min(highest + rounding, 1e300)
        if type(value) not in (int, float) or not low <= value <= high:
            bounds = "" if math.isinf(lowest) else f" from {lowest:g}"
            bounds += "" if math.isinf(highest) else f" to {highest:g}"
            self.refuse(f"a finite number{bounds}")
        return float(value)

    def object(self) -> dict[str, Any]:
        """An object, as it is."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return dict(self.value)

    def packed(self) -> list[Any]:
        """The values of a packed array."""
        try:
            values: list[Any] = unpack(self.value).tolist()
        except ValueError as error:
            raise InputError(
                f"{self.place}: `{inert(self.name)}`: {inert(str(error))[:200]}. {self.advice}"
            ) from None
        return values

    def refuse(self, accepted: str) -> NoReturn:
        """Raise InputError: what stands here, and what is accepted."""
        name = f"`{inert(self.name)}`" if self.name else "the row"
        raise InputError(
            f"{self.place}: {name} is {shown(self.value)}; accepted is {accepted}. {self.advice}"
        )

    def contradict(self, other: str) -> NoReturn:
        """Raise InputError: this value and another place disagree.

        Args:
            other: the end of the sentence "`field` is x, but ...".
        """
        raise InputError(
            f"{self.place}: `{inert(self.name)}` is {shown(self.value)}, but {other}. {self.advice}"
        )

    def _inner(self, value: Any, name: str) -> Field:
        return Field(value, self.place, name, self.advice)

    def _below(self, key: str) -> str:
        key = key if len(key) <= 100 else key[:100] + "..."
        return f"{self.name}.{key}" if self.name else key
