"""What servers do wrong: they are busy, fail, hang up, answer nothing or nonsense. No answer is paid for twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.server import client as client_module
from lm_eval_sensitivity.harness.engines.server.answer import read_answer
from lm_eval_sensitivity.harness.engines.server.first_look import extras
from lm_eval_sensitivity.harness.engines.server.traced import output_of
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from tests.harness.stand_in_server import Failure, StandIn, serving
from tests.harness.test_engines import IDENTICAL, raw_rows
from tests.harness.test_servers import chat, completions, run


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving(StandIn(shows_ids=True)) as found:
        yield found


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited for; nobody waits really."""
    seconds: list[float] = []

    class Waits(client_module.threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            seconds.append(float(timeout or 0))
            return self.is_set()

    made = client_module.Client.__init__

    def init(self: Any, lm: Any) -> None:
        made(self, lm)
        self._stop = Waits()

    monkeypatch.setattr(client_module.Client, "__init__", init)
    return seconds


def texts(results: dict[str, Any]) -> list[Any]:
    return [row["resps"] for row in raw_rows(results, IDENTICAL)]


def on(numbers: set[int], failure: Any) -> Any:
    """Fails on these requests."""
    return lambda number, answer: failure if number in numbers else answer


@pytest.fixture(scope="module")
def truth() -> list[Any]:
    with serving(StandIn()) as found:
        return texts(run(chat(found), IDENTICAL))


@pytest.mark.parametrize(
    ("header", "expected"),
    [({"Retry-After": "7"}, 7.0), ({}, 1.0), ({"Retry-After": "soon"}, 1.0)],
)
def test_a_busy_server_is_asked_again_when_it_says(
    server: StandIn, truth: list[Any], waited: list[float], header: dict[str, str], expected: float
) -> None:
    server.change = on({3, 9}, Failure(429, headers=header))
    assert texts(run(chat(server, max_retries=1), IDENTICAL)) == truth
    assert waited == [expected] * 2


def test_a_date_to_come_again_is_read(server: StandIn, truth: list[Any], waited: list[float]) -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    server.change = on({4}, Failure(503, headers={"Retry-After": later}))
    assert texts(run(chat(server), IDENTICAL)) == truth
    assert len(waited) == 1 and 60 < waited[0] <= 90


def test_waiting_has_an_end(server: StandIn, waited: list[float]) -> None:
    server.change = lambda number, answer: Failure(429) if number > 2 else answer
    with pytest.raises(InputError, match=r"stays busy .*HTTP 429.*--use_cache PATH"):
        run(chat(server), IDENTICAL)
    assert waited[:3] == [1.0, 2.0, 4.0] and sum(waited) <= client_module.PATIENCE


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure(500, "CUDA out of memory"), "HTTP 500 CUDA out of memory"),
        (Failure(0, drop=True), "ConnectionError"),
        ("<html>gateway</html>", "no answer with choices: <html>gateway"),
        ({"choices": []}, "no answer with choices"),
        ({"choices": None}, "no answer with choices"),
    ],
)
def test_what_fails_once_is_asked_again_and_what_fails_always_ends_the_run(
    server: StandIn, truth: list[Any], waited: list[float], failure: Any, words: str
) -> None:
    server.change = on({3, 8}, failure)
    assert texts(run(chat(server), IDENTICAL)) == truth
    assert waited == [1.0, 1.0]
    server.change = lambda number, answer: failure
    with pytest.raises(InputError, match="failed 2 times, last with: ") as caught:
        run(chat(server, max_retries=2), IDENTICAL)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure(401, "Incorrect API key"), "HTTP 401: Incorrect API key.*OPENAI_API_KEY"),
        (Failure(404, "no such model"), "HTTP 404: no such model.*base_url"),
        (Failure(400, "bad"), "HTTP 400: bad"),
    ],
)
def test_a_refusal_ends_the_run_at_once(
    server: StandIn, waited: list[float], failure: Failure, words: str
) -> None:
    server.change = lambda number, answer: failure
    with pytest.raises(InputError, match=words):
        run(chat(server), IDENTICAL)
    assert len(server.requests) <= len(extras(chat=True)) and not waited


def test_a_server_that_is_slow_is_given_up_with_the_option_that_helps(server: StandIn) -> None:
    server.delay = 0.4
    lm = chat(server, max_retries=1)
    lm.timeout = 0.1
    with pytest.raises(InputError, match=r"ReadTimeout.*timeout=\.\.\."):
        run(lm, IDENTICAL, limit=1)


def test_answers_that_hold_nothing_are_missing_with_a_reason(server: StandIn) -> None:
    def nothing(number: int, answer: Any) -> Any:
        kinds: list[Any] = [
            {"choices": [{"index": 0, "message": {"content": None}, "finish_reason": "length"}]},
            {"choices": [{"finish_reason": "content_filter"}]},
            {"choices": ["?"]},
        ]
        return answer if number < 2 else kinds[number % 3]

    server.change = nothing
    for row in raw_rows(run(chat(server), IDENTICAL), IDENTICAL):
        assert row["resps"] == [[""], [""]]
        assert row["pair"]["missing"]["cosine_distance"].startswith("empty")


def test_fields_that_are_missing_cost_what_hangs_on_them_only(server: StandIn, truth: list[Any]) -> None:
    def less(number: int, answer: Any) -> Any:
        for name in ("index", "logprobs", "finish_reason")[: number % 4]:
            answer["choices"][0].pop(name, None)
        if number % 2:
            answer.pop("usage")
        return answer

    server.change = less
    assert texts(run(chat(server), IDENTICAL)) == truth


def test_what_arrived_before_a_failure_is_not_asked_for_again(
    server: StandIn, truth: list[Any], tmp_path: Path
) -> None:
    """The first of the server's requests is the look at what it gives; it is made in each run."""
    cache = {"use_cache": str(tmp_path / "cache")}
    server.change = lambda number, answer: Failure(500) if number > 12 else answer
    with pytest.raises(InputError, match="--use_cache PATH"):
        run(chat(server, max_retries=1, num_concurrent=3), IDENTICAL, **cache)
    server.change = lambda number, answer: answer
    before = len(server.requests)
    assert texts(run(chat(server), IDENTICAL, **cache)) == truth
    asked = Counter(str(each) for each in server.requests if each["max_tokens"] != 16)
    assert len(server.requests) - before == 1 + 36 - 11
    assert len(server.requests) > 36 and set(asked.values()) <= {4, 5, 6, 7}
    before = len(server.requests)
    assert texts(run(chat(server), IDENTICAL, **cache)) == truth
    assert len(server.requests) - before == 1


def test_as_many_requests_as_asked_for_are_under_way(server: StandIn, truth: list[Any]) -> None:
    server.delay = 0.05
    begin = time.monotonic()
    assert texts(run(chat(server, num_concurrent=6), IDENTICAL)) == truth
    assert 3 < server.most_at_a_time <= 6
    assert time.monotonic() - begin < 36 * 0.05 + 5


def test_a_batch_size_is_no_reason_to_send_several_prompts_in_one(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    run(completions(server, batch_size=4), IDENTICAL, limit=2)
    assert "`--batch_size 4` is not used" in caplog.text
    assert all(isinstance(each["prompt"], str) for each in server.requests)


@pytest.mark.parametrize(
    ("tokens", "text", "n_tokens"),
    [
        ([" He", "llo"], "Hello", 2),
        (["He", "llo", "<end>"], "Hello", 3),
        (["He", "llo there"], "Hello", 2),
        (["I think. ", "Hello"], "Hello", None),
        (["He", "l"], "Hello", None),
        (["He", "\ufffd", "\ufffd"], "He é", None),
        ([r"bytes:\xc3", r"bytes:\xa9"], "é", 2),
    ],
)
def test_tokens_are_taken_where_they_spell_the_text(
    tokens: list[str], text: str, n_tokens: int | None
) -> None:
    logprobs = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens), "top_logprobs": None}
    body = {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": "stop"}]}
    trace = output_of(read_answer(body), Decoding(8, ()), "server text").trace
    assert (None if trace is None else len(trace.token_ids)) == n_tokens
    if trace is not None and trace.token_bytes is not None:
        spelled = b"".join(trace.token_bytes[: len(trace.content_ids)])
        assert spelled.decode() == text
