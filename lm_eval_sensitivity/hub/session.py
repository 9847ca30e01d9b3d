"""The client of the Hub, and its errors as sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub.files_to_publish import Kind
from lm_eval_sensitivity.text.escape import brief, inert, quoted

_NOT_INSTALLED = (
    "Publishing needs huggingface_hub, which is not installed. Run `pip install huggingface_hub`."
)
_TOKEN = re.compile(r"Bearer\s+\S+|hf_[A-Za-z0-9]{8,}")


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
def hub_session(repo_id: str, kind: Kind) -> Iterator[Any]:
    """The client; its errors, and those of the network, leave as an InputError that says what to do.

    Args:
        repo_id: `ORG/NAME`, for messages.
        kind: what it holds, for messages.

    Returns:
        `HfApi`, as a context.

    Raises:
        InputError: huggingface_hub is not installed, or it refused, or the network did.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise InputError(_NOT_INSTALLED) from None
    try:
        yield HfApi()
    except (InputError, TypeError, AttributeError):
        raise  # the latter are defects of a program, and say nothing about the Hub
    except Exception as error:  # noqa: BLE001 - the Hub client also lets errors of its HTTP library through
        raise InputError(_what_to_do(error, repo_id, kind)) from None


def _what_to_do(error: Exception, repo_id: str, kind: Kind) -> str:
    from huggingface_hub import errors

    # A client may quote the header that it could not send.
    problem = brief(_TOKEN.sub("[token]", str(error))) or type(error).__name__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        return (
            f"The Hub does not know who is publishing {repo_id!r}: there is no valid token. Run `hf auth login`, or "
            "set the environment variable HF_TOKEN to a token that may write."
        )
    if status in (403, 404):
        return (
            f"The Hub refuses to let this token write to {repo_id!r} ({status}). Use a token that may write there, "
            "or choose an account of your own."
        )
    for name, advice in kind.refusals:
        if name in problem:
            return f"The Hub refuses the file `{name}`, and with it the commit to {repo_id!r}: {problem}. {advice}"
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"`{inert(str(error.filename))}` cannot be read ({error.strerror}). Run the same command again."
        )
    if isinstance(error, ValueError) and status is None:
        return f"{repo_id!r} is not published: {problem}. Correct that and run the command again."
    if status is None:
        return (
            f"The Hub cannot be reached to publish {repo_id!r}: {problem}. Check the network, and HF_HUB_OFFLINE, and "
            "run the same command again: nothing is published twice."
        )
    return f"The Hub refuses to publish {repo_id!r} ({status}): {problem}. Correct that and run the command again."
