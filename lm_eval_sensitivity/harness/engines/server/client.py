"""Requests to a server: repeated where that helps, several at a time, each answer handed over as it arrives."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.text.escape import brief

logger = logging.getLogger(__name__)

FIRST_WAIT = 1.0
"""Seconds before the second try, where the server names none; doubled for each further one."""
LONGEST_WAIT = 60.0
PATIENCE = 600.0
"""Seconds that one request waits in all for a server that says it is busy."""
BUSY = (429, 503)
WORTH_ANOTHER_TRY = (408, 409, 425, *range(500, 600))

Given = TypeVar("Given")
Made = TypeVar("Made")


class RefusedError(Exception):
    """The server does not take this request, however often it is sent.

    Args:
        status: of HTTP.
        words: what the server says.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}: {words}")
        self.status = status


class NoAnswerError(InputError):
    """The server gave no answer, though it was asked as often as makes sense.

    Args:
        words: for the user.
        problem: what came of the last try.
    """

    def __init__(self, words: str, problem: str) -> None:
        super().__init__(words)
        self.problem = problem


class StoppedError(Exception):
    """Another request failed for good while this one was waiting."""


@dataclass(frozen=True)
class Problem:
    """Why one try failed."""

    words: str
    wait: float | None = None
    """Seconds that the server asks to wait."""
    busy: bool = False


class Client:
    """Speaks with the server of one of lm_eval's API models, with the model's own address, key and patience.

    Args:
        lm: a `TemplateAPI`.
    """

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self._stop = threading.Event()
        self.url = str(lm.base_url)

    @property
    def root(self) -> str:
        """Address of the server, without the path of its OpenAI-compatible part."""
        return self.url.split("/v1/", 1)[0].removesuffix("/")

    @property
    def place(self) -> str:
        """Address for messages: without a query, which may hold a key."""
        parts = urlsplit(self.url)
        return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def ask(self, payload: Mapping[str, Any], *, tries: int | None = None) -> dict[str, Any]:
        """Post a payload to the model's address.

        Args:
            payload: the request.
            tries: how often a failing server is asked; the model's `max_retries` where it is not given.

        Returns:
            The answer; it has choices.

        Raises:
            RefusedError: the request is refused.
            NoAnswerError: the server failed as often, or stayed busy for `PATIENCE`.
            StoppedError: another request failed for good.
        """
        tries = max(1, self._lm.max_retries) if tries is None else tries
        waited, failures = 0.0, 0
        for further in itertools.count():
            found = self._try(payload)
            if not isinstance(found, Problem):
                return found
            wait = min(FIRST_WAIT * 2**further, LONGEST_WAIT) if found.wait is None else found.wait
            failures += not found.busy
            waited += wait if found.busy else 0.0
            if failures >= tries or waited > PATIENCE:
                raise NoAnswerError(self._gave_up(found, failures, wait), found.words)
            logger.info("%s: %s; asking again in %.0f s.", self.place, found.words, wait)
            if self._stop.wait(wait):
                raise StoppedError
        raise AssertionError("never ends")

    def _gave_up(self, problem: Problem, failures: int, wait: float) -> str:
        tried = (
            f"failed {failures} times, last with: {problem.words}"
            if failures
            else f"stays busy ({problem.words}; it asks to wait {wait:.0f} s)"
        )
        return (
            f"The server at {self.place} {tried}. See what it says, then run the same command again: with "
            "`--use_cache PATH` the answers that arrived are kept. `--model_args max_retries=...,timeout=...` give it "
            "more time, a smaller `num_concurrent` less to do."
        )

    def _try(self, payload: Mapping[str, Any]) -> dict[str, Any] | Problem:
        try:
            response = self._send("POST", self.url, payload)
        except requests.RequestException as error:
            return Problem(f"{type(error).__name__}: {brief(str(error))}")
        if response.status_code in BUSY:
            return Problem(_said(response), _retry_after(response.headers.get("Retry-After")), busy=True)
        if response.status_code in WORTH_ANOTHER_TRY:
            return Problem(_said(response), _retry_after(response.headers.get("Retry-After")))
        if not response.ok:
            raise RefusedError(response.status_code, brief(response.text))
        body = _object(response)
        if body is None or not isinstance(body.get("choices"), list) or not body["choices"]:
            return Problem(f"no answer with choices: {brief(response.text)}")
        return body

    def look(self, path: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask another part of the server, which many servers do not have.

        Args:
            path: below the server's address.
            payload: to post; None gets.

        Returns:
            The answer; empty where there is none.
        """
        url = f"{self.root}{path}"
        try:
            response = self._send("GET" if payload is None else "POST", url, payload)
        except requests.RequestException:
            return {}
        return (_object(response) or {}) if response.ok else {}

    def _send(self, method: str, url: str, payload: Mapping[str, Any] | None) -> requests.Response:
        lm = self._lm
        verify = lm.ca_cert_path if lm.verify_certificate and lm.ca_cert_path else lm.verify_certificate
        body = None if payload is None else dict(payload)
        return requests.request(method, url, json=body, headers=lm.header, verify=verify, timeout=lm.timeout)

    def each(
        self, ask: Callable[[Given], Made], things: Sequence[Given], at_a_time: int
    ) -> Iterator[tuple[int, Made]]:
        """Ask for several things at a time.

        Args:
            ask: called in other threads.
            things: to ask for.
            at_a_time: requests under way.

        Yields:
            (index, what was made of it) in the order of arrival. After a failure what is still under way arrives
            before the failure is raised: it has been paid for.
        """
        self._stop.clear()
        with ThreadPoolExecutor(max(1, at_a_time)) as pool:
            futures = {pool.submit(ask, thing): index for index, thing in enumerate(things)}
            failure: BaseException | None = None
            try:
                for future in as_completed(futures):
                    if future.cancelled() or isinstance(future.exception(), StoppedError):
                        continue
                    error = future.exception()
                    if error is None:
                        yield futures[future], future.result()
                        continue
                    failure = failure or error
                    self._stop.set()
                    _cancel(futures)
            finally:
                self._stop.set()
                _cancel(futures)
            if failure is not None:
                raise failure


def _cancel(futures: Mapping[Future[Any], int]) -> None:
    for future in futures:
        future.cancel()


def _said(response: requests.Response) -> str:
    return f"HTTP {response.status_code} {brief(response.text)}".strip()


def _object(response: requests.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _retry_after(value: str | None) -> float | None:
    """Seconds from a header that holds seconds or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(until.tzinfo or timezone.utc)).total_seconds())
