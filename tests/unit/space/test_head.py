"""Tags of a page: ours once, gradio's never, and names of strangers are texts in them."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.space.head import Message, Preview, with_preview

PAGE = (
    '<html>\n<head lang="en">\n<meta charset="utf-8">\n<meta\n property="og:title"\n content="Gradio" />\n'
    '<meta name="twitter:creator" content="@Gradio" />\n<script>var page = \'<meta property="og:title">\'</script>\n'
    "</head>\n<body class='x'><div></div></body></html>"
)
NASTY = '"><script>alert(1)</script>'


def test_gradios_tags_go_and_the_script_stays_as_it_is() -> None:
    made = with_preview(PAGE, "A title", "Words.", "http://a/")
    assert "Gradio" not in made
    assert made.count('property="og:title" content="A title"') == 1
    assert "<script>var page = '<meta property=\"og:title\">'</script>" in made
    assert made.index("<noscript>") > made.index("<body class='x'>")
    assert 'content="http://a/preview.png"' in made


def test_words_of_strangers_stay_words() -> None:
    made = with_preview(PAGE, NASTY, NASTY, f"http://{NASTY}/")
    assert NASTY not in made and made.count("<script") == PAGE.count("<script")


def test_what_is_no_page_stays_as_it_is() -> None:
    assert with_preview("plain", "a", "b", "c") == "plain"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"page=-5", b""),
        (b"view=axes&page=x&r=3", b"view=axes&r=3"),
        (b"view=pairs&pages=1", b"view=pairs&pages=1"),
    ],
)
def test_a_page_that_gradio_would_look_for_is_left_out_of_the_address(given: bytes, kept: bytes) -> None:
    seen: list[bytes] = []

    async def app(scope: Message, *_: object) -> None:
        seen.append(scope["query_string"])

    async def nothing(*_: object) -> Message:
        return {}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": given, "headers": []}
    # Nothing in it waits, so that it needs no event loop.
    with pytest.raises(StopIteration):
        Preview(app, "t", "d")(scope, nothing, nothing).send(None)
    assert seen == [kept]
