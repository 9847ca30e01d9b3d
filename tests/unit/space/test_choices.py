"""The system of an address: by name, so that a link means the same after the next export."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import address_of, choose_system
from lm_eval_sensitivity.space.query import Query, parse
from tests.unit.space.known import HOSTILE, NAMES, known_results


@pytest.fixture(scope="module")
def results() -> Results:
    return known_results()


def test_every_system_is_found_by_what_addresses_call_it(results: Results) -> None:
    for system in results.systems:
        link = Query({}).link(view="pairs", system=address_of(system))
        query = Query(parse(link))
        assert choose_system(query, results) == system.index
        assert not query.complaints
        assert HOSTILE not in link
    by_fingerprint = Query({"system": results.systems[1].fingerprint})
    assert choose_system(by_fingerprint, results) == 1


def test_silence_is_the_default_and_no_mistake(results: Results) -> None:
    query = Query({})
    assert (choose_system(query, results, default=2), query.complaints) == (2, [])


def test_a_place_in_the_list_is_no_system_any_more(results: Results) -> None:
    query = Query({"a": "1"})
    assert choose_system(query, results, "a") == 0
    first, second = query.complaints
    assert first.startswith("`a` is '1'; accepted: ") and NAMES[1] in first
    assert "place in the list" in second
    assert query.link() == "?"


def test_a_name_that_is_nearly_right_gets_a_hint(results: Results) -> None:
    query = Query({"system": "alpha-4"})
    assert choose_system(query, results) == 0
    assert query.complaints[0].endswith("Did you mean 'alpha-4b'? Shown is 'alpha-4b'.")
