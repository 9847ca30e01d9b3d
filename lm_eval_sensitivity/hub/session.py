"""The client of the Hub, what it must not be led to, and its errors as sentences that say what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub.files_to_publish import Kind
from lm_eval_sensitivity.text.escape import brief, inert, quoted

_NOT_INSTALLED = "The Hub needs huggingface_hub, which is not installed. Run `pip install huggingface_hub`."
_TOKEN = re.compile(r"Bearer\s+\S+|hf_[A-Za-z0-9]{8,}")
_STATUS_IN_WORDS = re.compile(r"HTTP status \w+ error \((\d{3}) ")
"""As hf_xet says it, which sends large files, and whose errors have no answer in them."""
_HUB = "https://huggingface.co"
ODD_ANSWERS = (TypeError, AttributeError, LookupError)
"""What the client raises where it takes apart an answer that is none of the Hub's, and what a defect of ours raises."""


def _client_errors() -> tuple[type[Exception], ...]:
    """What the client raises where the Hub refuses, the network does, or what answers is no Hub.

    Which HTTP library it has, its version says. A RuntimeError is one of hf_xet, or says which upload failed.
    """
    from huggingface_hub.errors import HTTPError

    return (OSError, ValueError, RuntimeError, HTTPError, *ODD_ANSWERS)


def check_repo_id(repo_id: str, *, argument: str = "ORG/NAME", example: str = "my-org/my-ladder") -> None:
    """Raise InputError unless the Hub accepts a name `ORG/NAME`; nothing is asked of the network.

    Args:
        repo_id: any text.
        argument: what the user's argument is called in the message.
        example: a name that would do.

    Raises:
        InputError: besides, huggingface_hub is not installed: the rule is its own.
    """
    try:
        from huggingface_hub.utils import HFValidationError, validate_repo_id
    except ImportError:
        raise InputError(_NOT_INSTALLED) from None
    try:
        validate_repo_id(repo_id)
        problem = "" if repo_id.count("/") == 1 else "There is no `/` between an account and a name"
    except HFValidationError as error:
        problem = brief(str(error))
    if problem:
        raise InputError(
            f"`{argument}` is {quoted(repo_id)}, which the Hub does not accept: {problem}. Correct the name, such as "
            f"{example!r}."
        )


@contextmanager
def guarded_client() -> Iterator[Any]:
    """The client; while it is used, no answer of the Hub comes from elsewhere, and no token goes there.

    What answers may be somebody's mirror (`HF_ENDPOINT`), and the client follows any address that it is given: of the
    next page of a list, of the place where an upload is confirmed, of a redirection.

    Returns:
        `HfApi`, as a context.

    Raises:
        InputError: huggingface_hub is not installed, or it was led elsewhere.
    """
    try:
        from huggingface_hub import HfApi, get_session  # not at the top: other commands start faster
    except ImportError:
        raise InputError(_NOT_INSTALLED) from None
    api, client = HfApi(), get_session()
    hubs = {_origin(api.endpoint), _origin(_HUB)}

    def check_request(request: Any) -> None:
        if "authorization" in request.headers and _origin(str(request.url)) not in hubs:
            raise _elsewhere(api.endpoint, str(request.url))

    def check_response(response: Any) -> None:
        asked = response.request.url
        # Files come from other hosts, without a token; answers do not.
        is_answer = asked.path.startswith("/api/") or ".git/" in asked.path
        target = urljoin(str(asked), response.headers.get("location", ""))
        if is_answer and _origin(str(asked)) in hubs and _origin(target) not in hubs:
            raise _elsewhere(api.endpoint, target)

    former = client.event_hooks
    client.event_hooks = {
        "request": [*former["request"], check_request],
        "response": [*former["response"], check_response],
    }
    try:
        yield api
    finally:
        client.event_hooks = former


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _elsewhere(endpoint: str, url: str) -> InputError:
    return InputError(
        f"What answers at {quoted(endpoint)} sends on to {quoted(urlsplit(url).netloc)}, which is refused: that host "
        "is not the Hub, and would see the token. Check the environment variable HF_ENDPOINT and the network."
    )


@contextmanager
def hub_session(refused: Callable[[Exception], InputError]) -> Iterator[Any]:
    """The client of `guarded_client`; its errors, and those of the network, leave as sentences.

    Args:
        refused: makes the sentence of an error.

    Returns:
        `HfApi`, as a context.

    Raises:
        InputError: huggingface_hub is not installed, or it refused, or the network did.
    """
    try:
        with guarded_client() as api:
            yield api
    except InputError:
        raise
    except _client_errors() as error:
        if _is_ours(error):
            raise
        raise refused(error) from None


def publishing(repo_id: str, kind: Kind) -> AbstractContextManager[Any]:
    """A session in which files are published.

    Args:
        repo_id: `ORG/NAME`, for messages.
        kind: what it holds, for messages.

    Returns:
        As `hub_session`.
    """
    return hub_session(lambda error: InputError(_what_to_do(cause(error), repo_id, kind)))


def _is_ours(error: Exception) -> bool:
    """Whether an error is a defect of this program, which says nothing about the Hub.

    The client takes apart what a server says without a look at its form, so that a stranger's answer is a TypeError
    like any other; but that one is raised inside the client.
    """
    if not isinstance(error, ODD_ANSWERS) or error.__traceback__ is None:
        return False
    frame = error.__traceback__
    while frame.tb_next is not None:
        frame = frame.tb_next
    return str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]


def cause(error: BaseException) -> BaseException:
    """The error behind one that only says which upload failed.

    Args:
        error: of the client.

    Returns:
        The first error of its chain that is no bare RuntimeError.
    """
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return error


def said_by(error: BaseException) -> str:
    """What an error says: the server's own words, if there are, and no token, which a client may quote.

    Args:
        error: of the client.

    Returns:
        A clause without a full stop.
    """
    # Around what the server said the client puts addresses, and advice of its HTTP library.
    said = getattr(error, "server_message", None) or str(error)
    return brief(_TOKEN.sub("[token]", said)) or type(error).__name__


def status_of(error: BaseException) -> int | None:
    """The status of the answer that an error is about.

    Args:
        error: of the client.

    Returns:
        As in 404; None where nothing answered.
    """
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status
    in_words = _STATUS_IN_WORDS.search(str(error))
    return None if in_words is None else int(in_words[1])


def _what_to_do(error: BaseException, repo_id: str, kind: Kind) -> str:
    problem, status = said_by(error), status_of(error)
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"`{inert(str(error.filename))}` cannot be read ({error.strerror}). Run the same command again."
        )
    refused = next((each for each in kind.refusals if each[0] in problem), None)
    if refused is not None and status == 400:
        name, advice = refused
        return (
            f"The Hub refuses the file `{name}`, and with it the commit to {repo_id!r}: {problem}. {advice}"
        )
    return _sentence(error, status).format(repo=repr(repo_id), status=status, problem=problem)


def _sentence(error: BaseException, status: int | None) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalTokenNotFoundError):
        return _NOBODY
    if status is not None:
        return _BY_STATUS.get(status, _NOT_NOW if status >= 500 else _REFUSED)
    if isinstance(error, (*ODD_ANSWERS, json.JSONDecodeError)):
        return _NO_HUB
    return _WRONG if isinstance(error, ValueError) else _UNREACHABLE


_NOBODY = (
    "The Hub does not know who is publishing {repo}: there is no valid token. Run `hf auth login`, or set the "
    "environment variable HF_TOKEN to a token that may write."
)
_NO_RIGHTS = (
    "The Hub refuses to let this token write to {repo} ({status}). Use a token that may write there, or choose an "
    "account of your own."
)
_CHANGED = (
    "Somebody else changed {repo} at the same time ({status}): {problem}. Nothing of theirs was overwritten. Run the "
    "same command again."
)
_NOT_NOW = (
    "The Hub cannot publish {repo} now ({status}): {problem}. Wait a little, and run the same command again: nothing "
    "is published twice."
)
_REFUSED = "The Hub refuses to publish {repo} ({status}): {problem}. Correct that and run the command again."
_BY_STATUS = {
    401: _NOBODY,
    403: _NO_RIGHTS,
    404: _NO_RIGHTS,
    409: _CHANGED,
    412: _CHANGED,
    429: _NOT_NOW,
}
_NO_HUB = (
    "What answers in the place of the Hub does not answer as it does ({problem}): {repo} is not published. Check the "
    "environment variable HF_ENDPOINT and the network."
)
_WRONG = "{repo} is not published: {problem}. Correct that and run the command again."
_UNREACHABLE = (
    "The Hub cannot be reached to publish {repo}: {problem}. Check the network, and HF_HUB_OFFLINE, and run the same "
    "command again: nothing is published twice."
)
