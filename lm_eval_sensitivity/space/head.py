"""What a link to the page shows elsewhere, and what stands there without JavaScript.

Gradio writes its own name into the tags that previews are made of, and appends ours behind them, where nobody looks.
So they are replaced in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from importlib import resources
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]

PICTURE = "preview.png"
"""Its file, and its address; `examples/preview.py` draws it."""
_TAGS = re.compile(r'\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')
_FIRST_SCRIPT, _HEAD, _BODY = "<script", re.compile(r"<head[^>]*>"), re.compile(r"<body[^>]*>")


class Preview:
    """ASGI middleware: the first page with our tags, and the picture that they name.

    Args:
        app: the application.
        title: of the page.
        description: one sentence or two; strangers' names may stand in them.
    """

    def __init__(self, app: Application, title: str, description: str) -> None:
        self._app, self._title, self._description = app, title, description

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif scope["path"].endswith(f"/{PICTURE}"):
            await _send_picture(send)
        elif scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/"):
            rewriting = _Rewriting(send, self._title, self._description, _base(scope))
            await self._app(_without_page(scope), receive, rewriting)
        else:
            await self._app(scope, receive, send)


def _without_page(scope: Message) -> Message:
    """Gradio takes `page` in an address for one of its own pages, and fails where it has none of that name."""
    kept = [each for each in scope.get("query_string", b"").split(b"&") if not each.startswith(b"page=")]
    return {**scope, "query_string": b"&".join(kept)}


def with_preview(html: str, title: str, description: str, base: str) -> str:
    """A page with our tags instead of gradio's, and with words for who has no JavaScript.

    Args:
        html: as gradio makes it; a page without a head stays as it is.
        title: of the page.
        description: what it shows.
        base: address of the page, with its last slash.

    Returns:
        The page; nothing of a stranger in it acts.
    """
    at = html.find(_FIRST_SCRIPT)
    head, rest = (html, "") if at < 0 else (html[:at], html[at:])
    image = f"{base}{PICTURE}"
    values = {
        "og:title": title, "og:description": description, "og:type": "website", "og:url": base,
        "og:image": image, "og:image:width": "1200", "og:image:height": "630", "twitter:card": "summary_large_image",
        "twitter:title": title, "twitter:description": description, "twitter:image": image,
    }  # fmt: skip
    tags = "".join(
        f'<meta {"name" if name.startswith("twitter") else "property"}="{name}" content="{escape(value)}">'
        for name, value in values.items()
    )
    tags += f'<meta name="description" content="{escape(description)}">'
    head = _HEAD.sub(lambda found: found[0] + tags, _TAGS.sub("", head), count=1)
    words = (
        f"<noscript><h1>{escape(title)}</h1><p>{escape(description)}</p><p>The tables and charts of this page need "
        "JavaScript, of this server only. Without it, <code>lm-eval-sensitivity clusters</code> says the same of run "
        "folders on a terminal.</p></noscript>"
    )
    return head + _BODY.sub(lambda found: found[0] + words, rest, count=1)


class _Rewriting:
    """Holds the start of an answer back until its body is whole: the length of the body changes."""

    def __init__(self, send: Send, *words: str) -> None:
        self._send, self._words = send, words
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                body = with_preview(self._body.decode(), *self._words).encode()
                kept = [each for each in self._start["headers"] if each[0].lower() != b"content-length"]
                length = (b"content-length", str(len(body)).encode())
                await self._send({**self._start, "headers": [*kept, length]})
                await self._send({**message, "body": body})


def _is_html(start: Message) -> bool:
    return any(name.lower() == b"content-type" and b"text/html" in value for name, value in start["headers"])


def _base(scope: Message) -> str:
    """The address that the reader asked for: behind a proxy, that of the proxy."""
    given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    scheme = given.get("x-forwarded-proto", str(scope.get("scheme", "http"))).split(",")[0].strip()
    host = given.get("x-forwarded-host", given.get("host", "")).split(",")[0].strip()
    return f"{scheme}://{host}{scope.get('root_path', '')}/"


async def _send_picture(send: Send) -> None:
    content = resources.files("lm_eval_sensitivity.space").joinpath(PICTURE).read_bytes()
    headers = [(b"content-type", b"image/png"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
