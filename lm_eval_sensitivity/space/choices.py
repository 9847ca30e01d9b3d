"""What a reader can choose in the forms of the views, made from what the results hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.manifest import SystemRecord
from lm_eval_sensitivity.space.query import DEFAULTS, Query
from lm_eval_sensitivity.space.words import WHOLE, words_of
from lm_eval_sensitivity.statements.selection import Selection


@dataclass(frozen=True)
class Choice:
    """One select of a form."""

    name: str
    """In the address."""
    label: str
    options: tuple[tuple[str, str], ...]
    """(value in the address, words for the reader), which may be a stranger's text."""
    chosen: str


def options(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Values with their words."""
    return tuple((value, words_of(value)) for value in values)


_PLAIN = re.compile(r"[\w .+@:/-]{1,80}")
"""Names that can stand in an address as they are."""


def address_of(system: SystemRecord) -> str:
    """What an address calls a system: its place would be another system's after the next export.

    Args:
        system: of the manifest.

    Returns:
        Its name; its fingerprint where the name is long or holds what no address should.

    Example:
        >>> address_of(SystemRecord(0, "qwen 4-bit", "0" * 16, ())), address_of(SystemRecord(1, "<b>", "a" * 16, ()))
        ('qwen 4-bit', 'aaaaaaaaaaaaaaaa')
    """
    return system.name if _PLAIN.fullmatch(system.name) else system.fingerprint


def choose_system(query: Query, results: Results, name: str = "system", default: int = 0) -> int:
    """The system of an address, by its name or its fingerprint.

    Args:
        query: what was asked for; it collects what is no system.
        results: from `open_results`.
        name: in the address.
        default: index of the system that is meant where the address is silent or wrong.

    Returns:
        Its index.
    """
    received = query.given(name)
    named = {each.fingerprint: each.index for each in results.systems} | results.places
    if received in named or not received:
        return named.get(received, default)
    query.refuse(name, received, [*map(address_of, results.systems)], address_of(results.systems[default]))
    if received.isdigit():
        query.complaints.append(
            f"Addresses name systems. A number such as {received} was a place in the list, which the next export may "
            "give to another system."
        )
    return default


def system_choice(results: Results, chosen: int, name: str = "system", label: str = "System") -> Choice:
    """A select of all systems.

    Args:
        results: from `open_results`.
        chosen: index of a system.
        name: of the select, in the address.
        label: of the select.

    Returns:
        One option per system: what an address calls it, and its name as the stranger wrote it.
    """
    every = tuple((address_of(system), system.name) for system in results.systems)
    return Choice(name, label, every, every[chosen][0])


def split_window(metric: str) -> tuple[str, str]:
    """A metric as metric and window of the address.

    Returns:
        (metric without window, window in tokens or `whole`).

    Example:
        >>> split_window("cosine_distance_64"), split_window("js_divergence")
        (('cosine_distance', '64'), ('js_divergence', 'whole'))
    """
    window = Selection(metric, "raw").window
    return (metric, WHOLE) if window is None else (metric.removesuffix(f"_{window}"), str(window))


@dataclass(frozen=True)
class Chosen:
    """A metric under a filter, and the selects that chose it."""

    metric: str
    """As in the pairs table, window included."""
    filter_name: str
    choices: tuple[Choice, ...]
    address: Mapping[str, str]
    """Metric, window and filter as they are shown, for a link to what stands behind a number."""

    def selection(self, rung_set: str) -> Selection:
        """Of these rungs."""
        return Selection(self.metric, self.filter_name, rung_set)


def choose_metric(query: Query, available: Sequence[tuple[str, str]]) -> Chosen:
    """Metric, window and filter of an address, among those that the results hold.

    Args:
        query: what was asked for.
        available: (metric with window, filter), at least one.

    Returns:
        One of `available`, and its selects; `query` collects what the address asks for in vain.

    Example:
        >>> held = [("cosine_distance", "raw"), ("cosine_distance", "answer"), ("cosine_distance_64", "raw")]
        >>> chosen = choose_metric(Query({"window": "64"}), held)
        >>> chosen.metric, chosen.filter_name, [choice.name for choice in chosen.choices]
        ('cosine_distance_64', 'raw', ['metric', 'window', 'filter'])
    """
    parted = [(*split_window(metric), filter_name) for metric, filter_name in available]
    metrics = tuple(dict.fromkeys(metric for metric, _, _ in parted))
    metric = query.choice("metric", metrics)
    all_windows = tuple(dict.fromkeys(window for _, window, _ in parted))
    windows = tuple(dict.fromkeys(window for each, window, _ in parted if each == metric))
    window = _choose_among(query, "window", windows, all_windows, metric)
    all_filters = tuple(dict.fromkeys(name for *_, name in parted))
    filters = tuple(dict.fromkeys(name for *which, name in parted if which == [metric, window]))
    filter_name = _choose_among(query, "filter", filters, all_filters, metric)
    choices = [Choice("metric", "Metric", options(metrics), metric)]
    if len(all_windows) > 1:
        choices.append(Choice("window", "Length that counts", options(all_windows), window))
    if len(all_filters) > 1:
        choices.append(Choice("filter", "Text that counts", options(all_filters), filter_name))
    address = {"metric": metric, "window": window, "filter": filter_name}
    return Chosen(metric if window == WHOLE else f"{metric}_{window}", filter_name, tuple(choices), address)


def _choose_among(query: Query, name: str, held: Sequence[str], anywhere: Sequence[str], metric: str) -> str:
    """One of the values that a metric has. A form sends the value of the metric before, too, which is no mistake."""
    asked = query.given(name)
    if asked in held or asked not in anywhere:
        return query.choice(name, held)
    shown = DEFAULTS[name] if DEFAULTS[name] in held else held[0]
    query.notes.append(
        f"These results have {words_of(metric)} only with {', '.join(map(words_of, held))}; shown is {words_of(shown)}."
    )
    return shown
