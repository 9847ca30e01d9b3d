"""The server: what is loaded first, what it answers, and that it asks nobody else."""

from __future__ import annotations

import base64
import gc
import importlib
import json
import os
import re
import socket
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.page import render
from tests.unit.space.known import HOSTILE, known_results

gr = pytest.importorskip("gradio")
app = importlib.import_module("lm_eval_sensitivity.space.app")

pytestmark = pytest.mark.filterwarnings(
    # Gradio leaves event loops and sockets to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)


@pytest.fixture(autouse=True, scope="module")
def collected() -> Iterator[None]:
    """What gradio leaves behind is collected here, not in the test of somebody else."""
    yield
    gc.collect()


def html_component(blocks: Any) -> Any:
    (found,) = [each for each in blocks.blocks.values() if isinstance(each, gr.HTML)]
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    blocks = app.build(known_results())
    about = app.in_a_few_words(known_results())
    _, url, _ = app.launch(blocks, about=about, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield url
    blocks.close(verbose=False)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the server of this test
        return str(answer.read().decode())


def ask(address: str, function: str, argument: Any) -> Any:
    config = json.loads(get(f"{address}config"))
    (component,) = [each["id"] for each in config["components"] if each["type"] == "html"]
    body = {"session_hash": "test", "component_id": component, "fn_name": function, "data": argument}
    request = urllib.request.Request(  # noqa: S310
        f"{address}gradio_api/component_server/",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def test_the_first_load_brings_the_first_page_along(address: str) -> None:
    config = json.loads(get(f"{address}config"))
    (value,) = [each["props"]["value"] for each in config["components"] if each["type"] == "html"]
    assert value == render(known_results(), {})
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []
    assert config["dependencies"] == [], "nothing runs that the page did not ask for"


def test_other_addresses_are_answered_with_their_pages(address: str) -> None:
    assert ask(address, "show_page", "?view=heatmap&filter=raw") == render(
        known_results(), {"view": "heatmap", "filter": "raw"}
    )
    for odd in (None, 7, ["?view=axes"], {"view": "axes"}):
        assert ask(address, "show_page", odd) == render(known_results(), {})


def test_downloads_know_their_own_names_only(address: str) -> None:
    file = ask(address, "download_table", "clusters.csv")
    assert base64.b64decode(file["base64"]).startswith(b"\xef\xbb\xbftable,system,")
    for name in ("../../etc/passwd", "manifest.json", None, ["clusters.csv"]):
        assert ask(address, "download_table", name) is None


def test_a_table_of_a_view_is_the_one_that_its_address_shows(address: str) -> None:
    file = ask(address, "download_of_view", ["systems", "?metric=js_divergence"])
    assert file["name"] == "clusters_systems.csv"
    lines = base64.b64decode(file["base64"]).decode("utf-8-sig").splitlines()
    assert lines[1].startswith("systems js_divergence raw meaning_preserving,alpha-4b,")
    for odd in (["nothing", ""], ["systems"], "systems", None, [1, 2], ["systems", "?view=learn"]):
        assert ask(address, "download_of_view", odd) is None


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loading = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
        found = dict(attrs).get(loading.get(tag, ""))
        # A canonical or preconnect link loads nothing that a page shows, but a connection is a request, too.
        if found:
            self.addresses.append(found)


def test_the_first_page_names_no_other_host_to_load_from(address: str) -> None:
    loads = _Loads()
    loads.feed(get(address))
    assert loads.addresses
    assert not [
        each for each in loads.addresses if re.match(r"(https?:)?//", each) and not each.startswith(address)
    ]


def test_a_link_to_the_page_is_shown_elsewhere_with_our_words_and_our_picture(address: str) -> None:
    page = get(address)
    tags = re.findall(r'<meta (?:name|property)="([a-z:]+)" content="([^"]*)">', page)
    assert [name for name, _ in tags] == list(dict.fromkeys(name for name, _ in tags)), "each is there once"
    found = dict(tags)
    assert found["og:title"] == found["twitter:title"] == "Prompt sensitivity"
    assert "Harmless edits move the answers of 3 systems by 0.134 to 0.412" in found["og:description"]
    assert found["og:image"] == f"{address}preview.png"
    assert "gradio" not in "".join(value for _, value in tags).lower()
    with urllib.request.urlopen(found["og:image"], timeout=30) as answer:  # noqa: S310 - the server of this test
        assert answer.headers["content-type"] == "image/png"
        content = answer.read()
    assert content.startswith(b"\x89PNG") and len(content) < 50_000


def test_who_has_no_javascript_is_told_what_the_page_shows(address: str) -> None:
    (words,) = re.findall("<noscript>(.*?)</noscript>", get(address), re.DOTALL)
    assert "0.134 to 0.412" in words and "JavaScript" in words


def test_nothing_of_a_stranger_is_markup_in_the_first_load(address: str) -> None:
    page = get(address)
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_gradio_is_told_not_to_report_by_our_code() -> None:
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] in ("1", "True")
    assert app.build(known_results()).analytics_enabled is False


def test_a_folder_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    found = app.open_or_explain(tmp_path / "nothing")
    assert isinstance(found, str)
    value = html_component(app.build(found)).value
    assert "does not exist" in value
    assert "lm-eval-sensitivity export" in value


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of our own, which only some results find."""

    def fail(results: Results, query: Any) -> str:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(app, "render", fail)


@pytest.mark.usefixtures("failing")
def test_a_first_page_that_fails_is_explained_and_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    value = html_component(app.build(known_results())).value
    assert "This page cannot be made: OverflowError." in value
    assert "cannot convert float infinity" in caplog.text, "the traceback is in the log"
    caplog.clear()
    monkeypatch.setattr(app, "open_results", lambda folder, origin: known_results())
    found = app.open_or_explain(tmp_path)
    assert isinstance(found, str) and "OverflowError" in found
    assert "cannot convert float infinity" in caplog.text


def test_the_hub_without_variables_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESULTS_DATASET", raising=False)
    launched: list[Any] = []
    monkeypatch.setattr(app, "launch", lambda made, **_: launched.append(made))
    app.serve_hub()
    assert "`RESULTS_DATASET` is" in html_component(launched[0]).value


@pytest.mark.parametrize("arguments", [["nowhere"], ["nowhere", "--no-browser"]])
def test_the_command_refuses_what_is_no_folder(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["space", *arguments]) == 2
    assert "`nowhere` does not exist" in capsys.readouterr().err


def test_the_command_says_when_gradio_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["space", "nowhere"]) == 2
    assert "lm-eval-sensitivity[space]" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["space", "nowhere", "--port", port])
    assert "is no port" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "x" * 70 + ".example"])
def test_an_address_of_another_machine_is_refused_at_once(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "launch", lambda *_, **__: pytest.fail("gradio tries a hundred ports there"))
    with pytest.raises(InputError, match="the server cannot listen there") as caught:
        app.serve(tmp_path, host)
    assert host in str(caught.value) and "None" not in str(caught.value)


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}.*Choose another port"):
            app.serve(tmp_path, port=port)
