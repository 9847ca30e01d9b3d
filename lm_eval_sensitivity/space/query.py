"""The address of a page: typed access to its values, complaints on wrong ones, and links to other pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

from lm_eval_sensitivity.errors import did_you_mean
from lm_eval_sensitivity.metrics import METRICS, WINDOWS_TOKENS
from lm_eval_sensitivity.metrics.catalogue import OF_ANSWERS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.space.words import WHOLE, words_of
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, PRIMARY_RUNGS, RUNG_SETS
from lm_eval_sensitivity.text.escape import quoted

DEFAULTS = {
    "view": "clusters",
    "metric": PRIMARY_METRIC,
    "filter": PRIMARY_FILTER,
    "rungs": PRIMARY_RUNGS,
    "window": WHOLE,
}
"""What an address without the name means, in every view; links leave these values out."""

NAMES = (
    *DEFAULTS,
    "system",
    "edit",
    "prompt",
    "search",
    "sort",
    "start",
    "pair",
    "a",
    "b",
    "step",
    "r",
    "probe",
    "task",
)
"""All names of an address, in the order in which links write them."""

CARRIED = ("metric", "filter", "rungs", "window")
"""Names that a link to another view takes along: which numbers are looked at."""

KNOWN: dict[str, tuple[str, ...]] = {
    "metric": (*METRICS, *OF_ANSWERS),
    "filter": FILTERS,
    "rungs": tuple(RUNG_SETS),
    "window": (WHOLE, *map(str, WINDOWS_TOKENS)),
}
"""Values that some view has. One of them is no mistake in a view without it: a link took it along."""

MOST_NAMED = 12
"""Accepted values that a complaint names; more are counted."""
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")
LONGEST_QUERY = 4000
"""Characters of an address that are read."""
LONGEST_VALUE = 300
"""Characters of a value that are read; no accepted value is longer."""


class Query:
    """The values of an address. What is wrong with them is collected in `complaints`, and the default is used.

    Args:
        values: by name, as they stand in the address.
        first: the view of an address that names none.

    Example:
        >>> query = Query({"view": "pairs", "filter": "row"})
        >>> query.choice("filter", ("raw", "answer"))
        'answer'
        >>> query.complaints
        ["`filter` is 'row'; accepted: raw, answer. Did you mean 'raw'? Shown is 'answer'."]
        >>> query.link(system=3), query.link(view="clusters", filter="raw")
        ('?view=pairs&system=3', '?filter=raw')
    """

    def __init__(self, values: Mapping[str, str], first: str = DEFAULTS["view"]) -> None:
        self.defaults = {**DEFAULTS, "view": first}
        """What this page's addresses leave out."""
        self._values = {str(name): str(value)[:LONGEST_VALUE] for name, value in values.items()}
        self.complaints: list[str] = []
        """Sentences for the top of the page, on what is wrong."""
        self.notes: list[str] = []
        """Sentences for the top of the page, on what is right and yet not shown."""
        self._complain_of_names()

    def choice(self, name: str, accepted: Sequence[str], default: str | None = None) -> str:
        """One of the accepted values.

        Args:
            name: in `NAMES`.
            accepted: at least one. For another one of `KNOWN` there is a note, for any other value a complaint.
            default: where the address is silent. A name in `DEFAULTS` has its own, which counts where it is
                accepted, so that a link that leaves it out means the same everywhere.

        Returns:
            The received one, or else the default, which is always accepted.
        """
        assert accepted, name
        usual = self.defaults.get(name)
        fallback = usual if usual in accepted else default if default in accepted else accepted[0]
        assert fallback is not None
        received = self._values.get(name, "")
        if received == "" or received in accepted:
            return received or fallback
        if received in KNOWN.get(name, ()):
            self._note(received, accepted, fallback)
        else:
            self.refuse(name, received, accepted, fallback)
        return fallback

    def _note(self, received: str, accepted: Sequence[str], shown: str) -> None:
        """Say that a value of other views is not shown here. It stays in links, for the way back."""
        held = ", ".join(f"“{words_of(each)}”" for each in accepted[:MOST_NAMED])
        self.notes.append(
            f"This view has no “{words_of(received)}”, only {held}. Shown is “{words_of(shown)}”."
        )

    def optional(self, name: str, accepted: Sequence[str]) -> str | None:
        """One of the accepted values, or none.

        Args:
            name: in `NAMES`.
            accepted: all that would do.

        Returns:
            The received one; None where the address is silent or wrong.
        """
        received = self._values.get(name, "")
        if received in accepted:
            return received
        if received:
            self.refuse(name, received, accepted, None)
        return None

    def index(self, name: str, n: int) -> int | None:
        """A whole number, such as the index of a system.

        Args:
            name: in `NAMES`.
            n: how many there are.

        Returns:
            0 to n - 1; None where the address is silent or wrong.

        Example:
            >>> Query({"system": "2"}).index("system", 3), Query({"system": "3"}).index("system", 3)
            (2, None)
        """
        received = self._values.get(name, "")
        # Only ASCII digits: int() reads digits of other scripts, and signs and underscores, too.
        if received.isascii() and received.isdigit() and len(received) < 10 and int(received) < n:
            return int(received)
        if received:
            self._values.pop(name, None)
            numbers = f"a whole number from 0 to {n - 1}" if n else "none, there is nothing to choose from"
            self.complaints.append(
                f"`{name}` is {quoted(received)}; accepted: {numbers}. Shown is the default."
            )
        return None

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """A decimal number.

        Args:
            name: in `NAMES`.
            low: the smallest that is accepted.
            high: the largest.
            default: where the address is silent or wrong.

        Returns:
            The received one, from low to high, or the default.

        Example:
            >>> query = Query({"r": "3.2"})
            >>> query.number("r", 2.5, 4, 3.7), Query({"r": "5"}).number("r", 2.5, 4, 3.7)
            (3.2, 3.7)
        """
        received = self._values.get(name, "")
        # Not all that float() reads: "nan", "1_0" and digits of other scripts are no numbers of an address.
        if _DECIMAL.fullmatch(received) and low <= float(received) <= high:
            return float(received)
        if received:
            self._values.pop(name, None)
            accepted = f"a number from {low:g} to {high:g}"
            self.complaints.append(
                f"`{name}` is {quoted(received)}; accepted: {accepted}. Shown is {default:g}."
            )
        return default

    def refuse(self, name: str, received: str, accepted: Sequence[str], shown: str | None) -> None:
        """Collect a complaint: what was received, what is accepted, what is shown instead.

        Args:
            name: in `NAMES`.
            received: its value, which the address loses.
            accepted: all that would do.
            shown: what is shown instead; None for a default that has no name.
        """
        self._values.pop(name, None)  # a link from here must not be complained of again
        named = ", ".join(accepted[:MOST_NAMED])
        more = f" and {len(accepted) - MOST_NAMED} more" if len(accepted) > MOST_NAMED else ""
        instead = f" Shown is {quoted(shown)}." if shown is not None else " Shown is the default."
        self.complaints.append(
            f"`{name}` is {quoted(received)}; accepted: {named or 'nothing here'}{more}."
            f"{did_you_mean(received, list(accepted))}{instead}"
        )

    def link(self, view: str | None = None, **changes: str | int | None) -> str:
        """An address: the present values with changes; None takes a value away.

        Args:
            view: None stays in this view and keeps all its values; another one takes along `CARRIED` only.
            **changes: by name, in `NAMES`.

        Returns:
            A query string with its `?`, quoted for a URL; names in the order of `NAMES`, without those at their
            default.
        """
        assert set(changes) <= set(NAMES), changes
        present = self._values.get("view") or self.defaults["view"]
        stays = view is None or view == present
        values = {name: value for name, value in self._values.items() if stays or name in CARRIED}
        merged: dict[str, str | int | None] = {**values, "view": view or present, **changes}
        kept = [(name, str(merged[name])) for name in NAMES if merged.get(name) not in (None, "")]
        return "?" + urlencode([(name, value) for name, value in kept if self.defaults.get(name) != value])

    def given(self, name: str) -> str:
        """A value as it was received, unchecked; empty where the address is silent."""
        return self._values.get(name, "")

    def _complain_of_names(self) -> None:
        for name in [name for name in self._values if name not in NAMES]:
            del self._values[name]
            if name.startswith("__"):
                continue  # hosts add names of their own, such as __theme
            self.complaints.append(
                f"{quoted(name)} is no name of this page's addresses and was ignored; there are {', '.join(NAMES)}."
                f"{did_you_mean(name, NAMES)}"
            )


def parse(query_string: str) -> dict[str, str]:
    """The values of a query string.

    Args:
        query_string: with or without `?`; its first `LONGEST_QUERY` characters count.

    Returns:
        Values by name, unchecked; the last one counts where a name is there twice, and empty ones are left out.

    Example:
        >>> parse("?view=pairs&edit=a%20b")
        {'view': 'pairs', 'edit': 'a b'}
    """
    # Half a surrogate pair, which JSON can bring, has no bytes to stand in a link.
    whole = query_string[:LONGEST_QUERY].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return dict(parse_qsl(whole.removeprefix("?"), keep_blank_values=False, errors="replace"))
