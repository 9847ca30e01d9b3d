"""The card of published results: what strangers wrote stays text, and the Hub can read the rest."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.results.card import results_card
from lm_eval_sensitivity.results.files_to_publish import prepare_results
from lm_eval_sensitivity.results.manifest import Manifest
from tests.unit.hub.stand_in import write_files

HOSTILE = (
    "```",
    "~~~~",
    "\n```\n# Injected\n",
    "\r\n```\r\n# Injected",
    "\u2028```\u2028# Injected",
    "\n---\nlicense: mit\n---\n",
    "<script>alert(1)</script>",
    "</code></pre><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) ![](https://example.org/x.png)",
    "\u202egnp.exe \u2066x",
    "\x1b[31m\x00\x85",
    "{{front_matter}} {{title}}",
    "    indented",
    "| a | b |",
    "\ud800",
    "x" * 100_000,
)


@pytest.fixture(scope="module")
def manifest(exported: Path) -> Manifest:
    return open_results(exported).manifest


def hostile(manifest: Manifest, text: str) -> Manifest:
    """Every text of a stranger is this one."""
    systems = tuple(
        replace(
            each,
            name=text,
            facts=tuple((text, text) for _ in each.facts),
        )
        for each in manifest.systems
    )
    return replace(
        manifest,
        systems=systems,
        series=dict.fromkeys([text], (1, 2)),
        ladder=text,
        signature=replace(
            manifest.signature,
            subset=text,
            ladder_version=text,
            package_version=text,
            embedder={**manifest.signature.embedder, "name": text, "weights_sha256": text},
        ),
        remarks=(text,),
    )


def blocks(card: str) -> list[tuple[Any, ...]]:
    """What a Markdown reader makes of a card: fenced blocks by their number of lines, all else in full."""
    _, _, body = card.split("---\n", 2)
    found: list[tuple[Any, ...]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        is_data = token.type == "fence" and token.info == "text"
        found.append((token.type, token.tag, token.content.count("\n") if is_data else token.content))
    return found


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_strangers_text_adds_no_block_no_line_and_no_field(text: str, manifest: Manifest) -> None:
    harmless = results_card(hostile(manifest, "harmless"), "me/results", tag="v1")
    card = results_card(hostile(manifest, text), "me/results", tag="v1")
    assert blocks(card) == blocks(harmless)
    assert card.split("---\n", 2)[:2] == harmless.split("---\n", 2)[:2]
    controls = {each for each in card if unicodedata.category(each)[0] == "C"}
    assert controls == {"\n"}, "nothing that a terminal or a reader's eye would obey"
    assert len(card) < 60_000


def test_a_strangers_text_is_seen(manifest: Manifest) -> None:
    card = results_card(hostile(manifest, "a\u202eb <i>"), "me/results")
    assert "000: a[U+202E]b <i>\n" in card


def test_many_remarks_are_counted(manifest: Manifest) -> None:
    card = results_card(replace(manifest, remarks=("one remark",) * 25), "me/results")
    assert card.count("remark: one remark\n") == 20
    assert "remark: 5 more in manifest.json\n" in card


def front_matter(card: bytes) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.decode().split("---\n", 2)[1])
    return found


def test_a_licence_is_named_only_where_one_was_given(manifest: Manifest) -> None:
    assert "license" not in front_matter(results_card(manifest, "me/results").encode())
    card = results_card(manifest, "me/results", license_id="cc-by-4.0").encode()
    assert front_matter(card)["license"] == "cc-by-4.0"


def test_the_tag_stands_in_both_ways_to_read(manifest: Manifest) -> None:
    tagged = results_card(manifest, "me/results", tag="v1.0.0")
    assert 'revision="v1.0.0"' in tagged and "--revision v1.0.0" in tagged
    assert "revision" not in results_card(manifest, "me/results")


def test_the_datasets_library_reads_every_table_that_the_card_names(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    assert os.environ["HF_HUB_OFFLINE"]
    files = prepare_results(exported, "me/results")
    tree = {name: each if isinstance(each, bytes) else each.read_bytes() for name, each in files.items()}
    folder = write_files(tree, tmp_path / "copy")
    configs = front_matter(tree["README.md"])["configs"]
    rows = {name: each.rows for name, each in open_results(exported).manifest.files.items()}
    assert [each["config_name"] for each in configs] == ["pairs", "ladder"] and configs[0]["default"]
    for config in configs:
        (data_files,) = config["data_files"]
        expected = sum(n for name, n in rows.items() if Path(name).match(data_files["path"]))
        table = datasets.load_dataset(
            str(folder), config["config_name"], split=data_files["split"], cache_dir=str(tmp_path / "cache")
        )
        assert len(table) == expected > 0
