"""`lm-eval-sensitivity space`: the page over exported results, served on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError

EPILOG = """\
example:
  lm-eval-sensitivity export runs/* -o results/
  lm-eval-sensitivity space results/

The page is served to this machine only, unless --host says otherwise, and asks nothing of any other host. It needs an
extra: pip install "lm-eval-sensitivity[space]"."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "space",
        help="explore exported results in a browser",
        description="Serve a page over exported results: clusters, axes, edits, pairs, lengths, and what they mean.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder that `export` wrote")
    add_server_options(parser)
    parser.set_defaults(run=run)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Where the page is served."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, help="port (default: the first free one from 7860 on)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    check_gradio()
    # Here a message on the terminal helps more than a page that says the same.
    from lm_eval_sensitivity.results import open_results
    from lm_eval_sensitivity.space.app import serve

    open_results(options.results)
    serve(options.results, options.host, options.port, browser=not options.no_browser)
    return 0


def check_gradio() -> None:
    """Before anything is computed.

    Raises:
        InputError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise InputError(
            'gradio is not installed, which serves the page. Run `pip install "lm-eval-sensitivity[space]"`.'
        )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; accepted are whole numbers from 1 to 65535")
    return int(text)
