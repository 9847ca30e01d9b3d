"""Addresses: links say what they were made from, and whatever arrives is a value, a default or a complaint."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.space.query import CARRIED, DEFAULTS, NAMES, Query, parse

VALUES = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable() and "\ufffd" not in text)
ADDRESSES = st.dictionaries(st.sampled_from(NAMES), VALUES)


@given(ADDRESSES)
def test_a_link_to_the_same_page_is_its_own_address(values: dict[str, str]) -> None:
    link = Query(values).link()
    again = Query(parse(link))
    assert again.link() == link
    for name in NAMES:
        assert again.given(name) in (values.get(name, ""), "")
        if again.given(name) == "" and name in values:
            assert values[name] == DEFAULTS[name], "only defaults are left out"


@given(ADDRESSES, VALUES)
def test_a_link_changes_what_it_says_and_nothing_else(values: dict[str, str], edit: str) -> None:
    changed = parse(Query(values).link(edit=edit, pair=None))
    kept = {
        name: value
        for name, value in values.items()
        if name not in ("edit", "pair") and DEFAULTS.get(name) != value
    }
    assert changed == {**kept, "edit": edit}


def test_a_link_to_another_view_takes_along_which_numbers_are_looked_at() -> None:
    query = Query({"view": "pairs", "system": "3", "pair": "x", "metric": "js_divergence", "filter": "raw"})
    assert dict(parse_qsl(query.link(view="heatmap")[1:])) == {
        "view": "heatmap",
        "metric": "js_divergence",
        "filter": "raw",
    }
    assert "metric" in CARRIED
    assert query.link(view="clusters") == "?metric=js_divergence&filter=raw"


def test_the_order_of_a_link_does_not_depend_on_the_order_of_the_address() -> None:
    forwards, backwards = (
        {"a": "1", "system": "2", "view": "pairs"},
        {"view": "pairs", "system": "2", "a": "1"},
    )
    assert Query(forwards).link() == Query(backwards).link() == "?view=pairs&system=2&a=1"


@pytest.mark.parametrize(
    "value", ["-1", "4", "1.0", "٣", "1_0", " 1", "99999999999999999999", "nan", "0x1", "'; drop"]
)
def test_what_is_no_index_is_complained_of(value: str) -> None:
    query = Query({"system": value})
    assert query.index("system", 4) is None
    (complaint,) = query.complaints
    assert complaint.startswith("`system` is ")
    assert "from 0 to 3" in complaint


def test_an_index_is_taken_and_silence_is_no_mistake() -> None:
    query = Query({"system": "3"})
    assert query.index("system", 4) == 3
    assert query.index("a", 4) is None
    assert query.complaints == []


def test_a_complaint_says_what_came_what_is_accepted_and_what_is_shown() -> None:
    query = Query({"metric": "cosine\x1b[31m"})
    assert query.choice("metric", ("js_divergence", "hidden_distance")) == "js_divergence"
    (complaint,) = query.complaints
    for piece in ("`metric`", "js_divergence, hidden_distance", "Shown is 'js_divergence'"):
        assert piece in complaint
    assert complaint.isprintable()


def test_the_default_of_a_name_is_the_same_everywhere_if_it_is_accepted() -> None:
    assert Query({}).choice("filter", ("raw", "answer"), "raw") == "answer"
    assert Query({}).choice("filter", ("raw",), "raw") == "raw"
    assert Query({}).choice("edit", ("x", "y"), "y") == "y"


def test_unknown_names_are_complained_of_and_those_of_a_host_are_not() -> None:
    query = Query({"metrics": "x", "__theme": "dark"})
    (complaint,) = query.complaints
    assert "Did you mean 'metric'?" in complaint
    assert query.link() == "?"


@given(st.text(max_size=300))
def test_no_query_string_is_an_error(text: str) -> None:
    query = Query(parse(text))
    query.choice("view", ("clusters", "pairs"))
    query.index("system", 3)
    parse(query.link())


@pytest.mark.parametrize("text", ["pair=\ud800", "\udfff=1", "view=\ud83d&edit=\ude00"])
def test_half_a_surrogate_pair_is_replaced(text: str) -> None:
    values = parse(text)
    assert "\ufffd" in "".join([*values, *values.values()])
    Query(values).link().encode()


def test_both_halves_of_a_surrogate_pair_are_one_character() -> None:
    assert parse("edit=\ud83c\udf89") == {"edit": "🎉"}


def test_what_another_view_has_is_noted_and_kept_and_no_mistake() -> None:
    query = Query({"view": "heatmap", "metric": "token_edit_distance", "rungs": "noop"})
    assert query.choice("metric", ("cosine_distance", "js_divergence")) == "cosine_distance"
    assert query.choice("rungs", ("meaning_preserving", "positive_control")) == "meaning_preserving"
    assert query.complaints == []
    assert [note.split(",")[0] for note in query.notes] == [
        "This view has no “token_edit_distance”",
        "This view has no “noop”",
    ]
    assert query.link(view="clusters") == "?metric=token_edit_distance&rungs=noop"


def test_a_link_leaves_out_what_was_refused() -> None:
    query = Query({"view": "pairs", "system": "x", "filter": "row", "edit": "nbsp"})
    query.index("system", 3)
    query.choice("filter", ("raw", "answer"))
    assert query.link() == "?view=pairs&edit=nbsp"
