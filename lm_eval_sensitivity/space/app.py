"""The server: one gr.HTML whose content comes from `page.render`."""

from __future__ import annotations

import logging
import os
import socket
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.figures.style import page_rules
from lm_eval_sensitivity.results import Results, open_results
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.space.downloads import make_download, make_table
from lm_eval_sensitivity.space.head import Preview
from lm_eval_sensitivity.space.hub import fetch_chosen
from lm_eval_sensitivity.space.page import first_view, render, render_message, view_of
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.space.texts import LONGEST, in_plain_text

# Gradio reads these when it is imported, and its server asks other hosts unless they say no.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

try:
    import gradio as gr
    from starlette.middleware import Middleware
except ImportError:
    raise InputError(
        'gradio is not installed, which serves the page. Run `pip install "lm-eval-sensitivity[space]"`.'
    ) from None

_LOG = logging.getLogger(__name__)

TITLE = "Prompt sensitivity"
ABOUT = "How far the outputs of language models move when their prompts barely change."
SCRIPTS = ("learn.js", "branching.js", "space.js")
"""The last one attaches the others."""
STYLES = ("space.css", "charts.css", "learn.css", "branching.css")
PAPER, DARK_PAPER = "#fffffe", "#14171a"
"""Around the page as on it: `--paper` of space.css."""
THREADS = 40
"""Pages that are made at the same time."""
NO_UPLOADS = "1b"
"""Gradio takes files from anybody, and this page wants none."""


def build(results: Results | str) -> gr.Blocks:
    """The app over opened results, or over the sentence that says why there are none.

    The content of the bare address is part of what a browser loads first; other addresses ask for theirs.

    Args:
        results: from `open_or_explain`.

    Returns:
        The app, with a queue, not started.
    """

    def show_page(query_string: str) -> str:
        if isinstance(results, str):
            return render_message(results)
        try:
            return render(results, parse(query_string if isinstance(query_string, str) else ""))
        except Exception as error:  # noqa: BLE001 - told and logged: one page must not take the others with it
            return render_message(_failed(error))

    def download_table(name: str) -> dict[str, str] | None:
        return None if isinstance(results, str) else make_download(results, name)

    def download_of_view(asked: list[str]) -> dict[str, str] | None:
        """Gradio gives two arguments as one list."""
        match asked:
            case [str() as table, str() as address] if isinstance(results, Results):
                query = {"view": first_view(results), **parse(address)}
                return make_table(view_of(results, query), query, table)
        return None

    with gr.Blocks(title=TITLE, analytics_enabled=False) as app:
        gr.HTML(
            show_page(""),
            js_on_load="\n".join(map(read, SCRIPTS)),
            server_functions=[show_page, download_table, download_of_view],
            apply_default_css=False,
            elem_id="page",
        )
    queued: gr.Blocks = app.queue(default_concurrency_limit=THREADS)
    return queued


def warm(results: Results) -> None:
    """Make the first list and the first pair before anybody asks: templates, ladder and tables are then there."""
    for address in (
        "view=pairs",
        *(f"view=pairs&pair={quote(each)}" for each in list(results.ladder)[:1]),
    ):
        render(results, parse(address))


def in_a_few_words(results: Results | str) -> str:
    """What a link to the page says elsewhere, where its markup and its marks would only disturb.

    Args:
        results: from `open_or_explain`.

    Returns:
        What is measured, then the finding of the first page if there is one.
    """
    found = [] if isinstance(results, str) else view_of(results, {}).context.get("findings", [])
    return " ".join([ABOUT, *(in_plain_text(each, LONGEST) for each in found)])


def launch(app: gr.Blocks, *, about: str = ABOUT, **options: Any) -> tuple[Any, str, str]:
    """Start the server as this page needs it: its own style, no footer, no second server, nothing from elsewhere.

    Args:
        app: from `build`.
        about: what a link to the page says elsewhere.
        **options: of gradio's `launch`, such as `server_name`.

    Returns:
        What gradio's `launch` returns: (application, local address, shared address, of which there is none).
    """
    started: tuple[Any, str, str] = app.launch(
        css="\n".join([*map(read, STYLES), page_rules()]),
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
            body_background_fill=PAPER, body_background_fill_dark=DARK_PAPER
        ),
        footer_links=[],
        ssr_mode=False,
        share=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        max_threads=THREADS,
        max_file_size=NO_UPLOADS,
        app_kwargs={"middleware": [Middleware(Preview, TITLE, about)]},
        **options,
    )
    return started


def open_or_explain(folder: Path, origin: HubOrigin | None = None) -> Results | str:
    """Results in place to be shown; nothing is raised.

    Args:
        folder: of `lm-eval-sensitivity export`, by whoever.
        origin: as for `open_results`.

    Returns:
        Opened results, `warm`; or sentences on what is wrong with them, for the page.
    """
    try:
        results = open_results(folder, origin)
        warm(results)
    except InputError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - told and logged: a server that does not start explains nothing
        return _failed(error)
    return results


def _failed(error: Exception) -> str:
    """What the page says of a mistake of our own, which the server's log has in full."""
    _LOG.error("A page cannot be made.", exc_info=error)
    return (
        f"This page cannot be made: {type(error).__name__}. That is a mistake of this software, not of the address. "
        "The log of the server has the details; please report them."
    )


def serve(folder: Path, host: str = "127.0.0.1", port: int | None = None, *, browser: bool = False) -> None:
    """Serve a results folder until interrupted. A folder that cannot be read is explained on the page.

    Args:
        folder: of `lm-eval-sensitivity export`.
        host: address to listen on; `0.0.0.0` lets other machines in.
        port: None takes the first free one from 7860 on.
        browser: open a browser, too.

    Raises:
        InputError: the address or the port cannot be had.
    """
    _check_address(host, port)
    results = open_or_explain(folder)
    app = build(results)
    try:
        # Quiet, because gradio advises options of its own that no command of ours has.
        _, address, _ = launch(
            app,
            about=in_a_few_words(results),
            server_name=host,
            server_port=port,
            inbrowser=browser,
            quiet=True,
            prevent_thread_lock=True,
        )
        print(f"The page is at {address} until you press Ctrl+C.", flush=True)
        app.block_thread()
    except OSError as error:
        raise InputError(
            f"`--host {host} --port {port or 'any'}`: the server cannot listen there: {error}. Choose another port."
        ) from None


def _check_address(host: str, port: int | None) -> None:
    """Gradio would try a hundred ports at an address that is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except (OSError, UnicodeError) as error:
        given = f"--host {host}" + (f" --port {port}" if port else "")
        raise InputError(
            f"`{given}`: the server cannot listen there: {getattr(error, 'strerror', None) or error}. Choose another "
            f"{'port, or another ' if port else ''}address of this machine."
        ) from None


def serve_hub() -> None:
    """Serve the results that the environment names, as a Space does; page and log say what is wrong with them."""
    results: Results | str
    try:
        folder, origin = fetch_chosen()
        results = open_or_explain(folder, origin)
        shown = f"The page shows {origin.dataset} at {origin.revision}, commit {origin.commit}."
    except InputError as error:
        results = str(error)
    print(results if isinstance(results, str) else shown, flush=True)
    launch(build(results), about=in_a_few_words(results), quiet=True)


def read(name: str) -> str:
    """A file of this folder that the page needs.

    Args:
        name: of a script or a style.

    Returns:
        Its text.
    """
    return resources.files("lm_eval_sensitivity.space").joinpath(name).read_text(encoding="utf-8")
