"""What the two servers of llama.cpp answered, through lm_eval's own classes.

`benchmarks/record_llama_cpp.py` recorded it.
"""

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
from lm_eval_sensitivity.harness.engines.server import client
from lm_eval_sensitivity.harness.engines.server.echo import check_echo
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
        self, asking: client.Client, method: str, url: str, payload: Mapping[str, Any] | None
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
        patch.setattr(client.Client, "_send", lambda *asked: recorded.send(*asked))
        yield request.param


@pytest.fixture(scope="module")
def results(server: str) -> list[dict[str, Any]]:
    """Of each of the runs."""
    return [run(kind, URL, settings) for kind, settings in RUNS]


def sides(results: list[dict[str, Any]]) -> Iterator[tuple[str, Row]]:
    """Text and record of every output."""
    for found in results:
        for row in raw_rows(found, TASK):
            for output, side in zip(row["resps"], ("base", "variant"), strict=True):
                yield output[0], row["pair"][side]


def test_every_text_has_tokens_and_margins(results: list[dict[str, Any]], server: str) -> None:
    reasons = set()
    for text, side in sides(results):
        if not text and server == "llama_cpp_python":
            continue  # An end token by itself, which this one does not list.
        reasons.add(side["finish_reason"])
        ids = unpack(side["token_ids"])
        margins = unpack(side["margins"])
        assert len(margins) == len(ids) > 0 and (margins >= 0).all()
        assert (ids >= 0).all() if server == "llama_server" else (ids < -1).all()
        assert text or side["finish_reason"] == "end_token"
    # One lists the end token and no stop string, the other one the stop string and no end token.
    assert reasons == {"length", *(("end_token", "stop") if server == "llama_server" else ("stop_string",))}


def test_what_a_server_does_not_tell_is_said(results: list[dict[str, Any]], server: str) -> None:
    expected = {
        "llama_server": ("ids", "checked on the token ids of the server's tokenizer", "2048 tokens"),
        "llama_cpp_python": ("server text", "seen to arrive only where the number of tokens", "not known"),
    }
    kind, audit, context = expected[server]
    for found in results:
        notes = found["configs"][TASK]["metadata"]["sensitivity"]["notes"]
        assert (notes["token_ids"], notes["steps_not_greedy"]) == (kind, 0)
        assert audit in notes["fed_as"] and f"context: {context}" in notes["fed_as"]
        assert "20 log-probabilities per step" in notes["server"]


def test_with_the_servers_tokenizer_the_audit_is_exact(results: list[dict[str, Any]], server: str) -> None:
    for row in (row for found in results for row in raw_rows(found, TASK)):
        pair = row["pair"]
        if server != "llama_server":
            assert pair["audit"]["status"] in ("survived", "unknown")
            continue
        base, variant = (unpack(pair[side]["prompt_token_ids"]) for side in ("base", "variant"))
        assert pair["audit"]["status"] == ("erased" if np.array_equal(base, variant) else "survived")


def test_multiple_choice_is_refused(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.0)
    (echo,) = (each for each in Recorded(server).answers.values() if (each["payload"] or {}).get("echo"))
    lm = model_of("completions", URL)
    lm.tokenizer, lm.tokenized_requests = object(), True
    monkeypatch.setattr(lm, "tok_encode", lambda text, **options: echo["payload"]["prompt"][0])
    expected = "echoes no log-probabilities" if server == "llama_server" else "fails to echo a text"
    with pytest.raises(InputError, match=expected):
        check_echo(lm)
