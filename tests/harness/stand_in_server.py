"""An OpenAI-compatible server over the model of letters. It shows what it is told to, and fails as it is told to.

Its chat template strips white space around a message, and its tokens are letters; one of them ends an output.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from tests.harness.letter_model import ALPHABET, LetterModel


@dataclass
class Failure:
    """An answer that is none, or not yet."""

    status: int
    body: str = '{"error": {"message": "made up"}}'
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """The connection, instead of an answer."""


@dataclass
class StandIn:
    """What the server shows, and what came in."""

    n_top: int = 20
    """Most log-probabilities per step; 0 gives none, and a number above it is refused."""
    shows_ids: bool = False
    counts: bool = True
    ends: str = "\n"
    """The letter that ends an output."""
    lists_end: bool = True
    takes_ids: bool = True
    tokenizes: str = ""
    """`vllm` or `llama`: whose way of asking for token ids it has."""
    context: int | None = None
    reads: int | None = None
    """Tokens of a prompt; it cuts the others from the left, silently."""
    echoes: int = 1
    """Log-probabilities in an echo beyond those of the text."""
    delay: float = 0.0
    change: Callable[[int, dict[str, Any]], Any] = lambda number, answer: answer
    """From the number of a request and the answer to what is sent: another answer, a `Failure`, or a text."""
    model: LetterModel = field(default_factory=lambda: LetterModel(sharpness=3.0))
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests for an output."""
    most_at_a_time: int = 0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # ---- outputs

    def prompt_of(self, body: dict[str, Any]) -> list[int]:
        """Ids of what a request feeds, template included."""
        if "messages" in body:
            return self.model.tok_encode("".join(str(each["content"]) for each in body["messages"]))
        prompt = body["prompt"]
        if isinstance(prompt, str):
            return self.model.tok_encode(prompt)
        return [each % len(ALPHABET) for each in prompt[0]]

    def output(self, prompt: list[int], limit: int) -> tuple[list[int], Any]:
        """Letters as far as the end, which is among them, and [step, vocabulary]."""
        ids, steps = self.model.greedy(prompt, limit)
        end = ALPHABET.index(self.ends)
        length = ids.index(end) + 1 if end in ids else len(ids)
        return ids[:length], steps[:length]

    def answer(self, body: dict[str, Any]) -> dict[str, Any] | Failure:
        """What a request gets, before it is changed."""
        chat = "messages" in body
        wanted = body.get("top_logprobs", 0) if chat else body.get("logprobs") or 0
        if body.get("stop") == []:
            return Failure(500, "no stop strings")
        if "return_token_ids" in body and not self.shows_ids:
            return Failure(422, "Unexpected fields in the request: return_token_ids")
        if wanted > self.n_top > 0:
            return Failure(400, f"at most {self.n_top} log-probabilities")
        if not chat and not isinstance(body["prompt"], str) and not self.takes_ids:
            return Failure(400, "prompt must be a string.")
        prompt = self.prompt_of(body)
        read = prompt[-self.reads :] if self.reads else prompt
        if body.get("echo"):
            return self._echo(read)
        return self._generated(body, read, wanted if self.n_top else 0)

    def _generated(self, body: dict[str, Any], read: list[int], wanted: int) -> dict[str, Any]:
        ids, steps = self.output(read, body.get("max_tokens", 16))
        ended = ALPHABET[ids[-1]] == self.ends
        text = "".join(ALPHABET[each] for each in ids[: len(ids) - ended])
        listed = len(ids) if self.lists_end else len(ids) - ended
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop" if ended else "length"}
        for stop in body.get("stop") or []:
            if stop in text:
                text, choice["finish_reason"] = text.split(stop, 1)[0], "stop"
        chat = "messages" in body
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        if wanted:
            choice["logprobs"] = _logprobs(ids[:listed], steps[:listed], wanted, chat=chat)
        if body.get("return_token_ids"):
            choice |= {"token_ids": ids, "prompt_token_ids": read, "stop_reason": None}
        answer: dict[str, Any] = {"id": "x", "model": body.get("model"), "choices": [choice]}
        if self.counts:
            answer["usage"] = {"prompt_tokens": len(read), "completion_tokens": len(ids)}
        return answer

    def _echo(self, read: list[int]) -> dict[str, Any]:
        count = len(read) + self.echoes
        logprobs = {
            "tokens": ["a"] * count,
            "token_logprobs": [None, *[-1.0] * (count - 1)],
            "top_logprobs": [None, *[{"a": -1.0}] * (count - 1)],
        }
        return {"choices": [{"index": 0, "text": "", "logprobs": logprobs if self.n_top else None}]}

    def look(self, path: str, body: dict[str, Any]) -> dict[str, Any] | Failure:
        """Other parts of the server."""
        if path == "/v1/models" and self.context is not None:
            return {"data": [{"id": "letters", "max_model_len": self.context}]}
        if path == "/apply-template" and self.tokenizes == "llama":
            return {"prompt": "".join(str(each["content"]).strip() for each in body["messages"])}
        if path == "/tokenize" and self.tokenizes == "vllm" and ("prompt" in body or "messages" in body):
            return {"tokens": self.prompt_of(body)}
        if path == "/tokenize" and self.tokenizes == "llama" and "content" in body:
            return {"tokens": self.model.tok_encode(body["content"])}
        return Failure(404)

    # ---- the wire

    def handle(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to any request."""
        if not path.endswith("/completions"):
            return self.look(path, body)
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
            self._under_way += 1
            self.most_at_a_time = max(self.most_at_a_time, self._under_way)
        try:
            time.sleep(self.delay)
            return self.change(number, self.answer(body))
        finally:
            with self._lock:
                self._under_way -= 1


def _logprobs(ids: list[int], steps: Any, n_top: int, *, chat: bool) -> dict[str, Any]:
    names = [ALPHABET[each] for each in ids]
    given = [float(step[each]) for each, step in zip(ids, steps, strict=True)]
    ranked = [np.argsort(-step)[:n_top].tolist() for step in steps]
    top = [
        {ALPHABET[each]: float(step[each]) for each in ranks}
        for ranks, step in zip(ranked, steps, strict=True)
    ]
    if not chat:
        return {"tokens": names, "token_logprobs": given, "top_logprobs": top}
    return {
        "content": [
            {
                "token": name,
                "bytes": list(name.encode()),
                "logprob": value,
                "top_logprobs": [{"token": each, "bytes": None, "logprob": p} for each, p in others.items()],
            }
            for name, value, others in zip(names, given, top, strict=True)
        ]
    }


@contextlib.contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """The server, at its `url` while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._reply(stand_in.handle(self.path, {}))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply(stand_in.handle(self.path, json.loads(raw)))

        def _reply(self, found: Any) -> None:
            failure = found if isinstance(found, Failure) else None
            if failure is not None and failure.drop:
                self.close_connection = True
                return
            text = found if isinstance(found, str) else failure.body if failure else json.dumps(found)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(failure.status if failure else 200)
                for name, value in (failure.headers if failure else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        stand_in.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
