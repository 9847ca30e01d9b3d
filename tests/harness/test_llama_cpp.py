"""What llama.cpp's two servers answered, through lm_eval's own classes: `benchmarks/record_llama_cpp.py` recorded it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests

from benchmarks.record_llama_cpp import RUNS, TASK, model_of, run
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.openai_completions import ServerEngine
from lm_eval_sensitivity.harness.engines.server.client import Client
from lm_eval_sensitivity.harness.engines.server.echo import TEXT, check_echo
from lm_eval_sensitivity.records.packing import unpack
from tests.harness.test_engines import raw_rows

SERVERS = ("llama_server", "llama_cpp_python")
URL = "http://127.0.0.1:1"
"""Nobody is there."""

Row = dict[str, Any]


def key(method: str, path: str, payload: Any) -> str:
    return json.dumps([method, path, payload], sort_keys=True)


class Recorded:
    """A server that answers as recorded, and to nothing else."""

    def __init__(self, name: str) -> None:
        path = Path(__file__).with_name(f"{name}_answers.json")
        self.answers = {
            key(each["method"], each["path"], each["payload"]): each
            for each in json.loads(path.read_text(encoding="utf-8"))
        }

    def send(
        self, client: Client, method: str, url: str, payload: Mapping[str, Any] | None
    ) -> requests.Response:
        found = self.answers[key(method, urlsplit(url).path, payload)]
        response = requests.Response()
        response.status_code, answer = found["status"], found["answer"]
        response._content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        return response


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    recorded = Recorded(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "_send", lambda *asked: recorded.send(*asked))
        yield request.param


@pytest.fixture(scope="module")
def results(server: str) -> list[dict[str, Any]]:
    """Of each of the runs."""
    return [run(kind, URL, settings) for kind, settings in RUNS]


def sides(results: list[dict[str, Any]]) -> Iterator[tuple[str, Row]]:
    """Text and record of every output."""
    for found in results:
        for row in raw_rows(found, TASK):
            yield from zip(
                (each[0] for each in row["resps"]), (row["pair"]["base"], row["pair"]["variant"]), strict=True
            )


def test_tokens_spell_the_texts_and_margins_are_there(results: list[dict[str, Any]], server: str) -> None:
    reasons = set()
    for text, side in sides(results):
        ids = unpack(side["token_ids"])
        assert text and len(ids)
        assert (ids >= 0).all() if server == "llama_server" else (ids < -1).all()
        margins = unpack(side["margins"])
        assert len(margins) == len(ids) and (margins >= 0).all()
        reasons.add(side["finish_reason"])
    assert reasons >= {"length", "stop"}


def test_a_real_server_tells_its_tokens_prompts_and_context(
    results: list[dict[str, Any]], server: str
) -> None:
    for found in results:
        notes = found["configs"][TASK]["metadata"]["sensitivity"]["notes"]
        assert notes["steps_not_greedy"] == 0
        assert "20 log-probabilities per step" in notes["server"]
        if server == "llama_server":
            assert notes["token_ids"] == "ids"  # noqa: S105
            assert "the token ids of the server's tokenizer; context: 2048 tokens" in notes["fed_as"]
        else:
            assert notes["token_ids"] == "server text"  # noqa: S105
            assert "only where the number of tokens changes; context: not known" in notes["fed_as"]
        for row in raw_rows(found, TASK):
            prompts = (
                [unpack(row["pair"][side]["prompt_token_ids"]) for side in ("base", "variant")]
                if server == "llama_server"
                else []
            )
            status = row["pair"]["audit"]["status"]
            if prompts:
                assert status == ("erased" if np.array_equal(*prompts) else "survived")
            else:
                assert status in ("survived", "unknown")


def test_multiple_choice_is_refused_before_it_begins(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "ask", _at_once(Client.ask))
    lm = model_of("completions", URL)
    recorded = Recorded(server)
    (echo,) = (each for each in recorded.answers.values() if (each["payload"] or {}).get("echo"))
    lm.tokenizer, lm.tokenized_requests = object(), True
    monkeypatch.setattr(lm, "tok_encode", lambda text, **options: echo["payload"]["prompt"][0])
    expected = "echoes no log-probabilities" if server == "llama_server" else "fails to echo a text"
    with pytest.raises(InputError, match=expected):
        check_echo(lm)
