"""The dataset card: what the datasets library makes of it, and that nothing in it is anything but computed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lm_eval_sensitivity.audit import load_encoder, survival_rows
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.authoring.audit_grid import (
    NEUTRAL_TOKENIZER,
    OWN_TEMPLATE,
    PARTNERS,
    System,
    audit_system,
)
from lm_eval_sensitivity.ladder.authoring.card import (
    MARKER,
    OWN_MARKER,
    check_own_card,
    default_subset,
    is_generated,
    is_minimal,
    minimal_card,
    title_of,
)
from lm_eval_sensitivity.ladder.authoring.card_sections import SAMPLE_SEED, excerpts
from lm_eval_sensitivity.ladder.authoring.distances import embed, prompt_distances
from lm_eval_sensitivity.ladder.authoring.folder import build_folder, card_of_folder, read_folder, write_card
from lm_eval_sensitivity.ladder.authoring.measured import (
    MEASURED_FILE,
    Audit,
    Measured,
    measure_distances,
    read_measured,
    write_measured,
)
from lm_eval_sensitivity.ladder.load import packaged_folder, subset_files
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from lm_eval_sensitivity.text.markdown import code, plain, visible
from lm_eval_sensitivity.types import RUNGS
from tests.conftest import REPOSITORY
from tests.unit.ladder.small_ladder import SUBSETS as SMALL
from tests.unit.ladder.small_ladder import fake_encode, fake_measured, packaged, small_folder

FOLDER = packaged_folder()
SUBSETS = list(subset_files(FOLDER))


# Read inside the tests: what fails here is a failing test, and does not keep the others from being collected.
@cache
def ladders() -> tuple[Ladder, ...]:
    return read_folder(FOLDER)


@cache
def audit() -> Audit:
    found = read_measured(FOLDER / MEASURED_FILE).audit
    assert found is not None
    return found


@cache
def card() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


@cache
def front_matter() -> dict[str, Any]:
    return dict(yaml.safe_load(card().split("---\n")[1]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_folder(tmp_path / "ladder")


def parsed_tables(page: str) -> dict[tuple[str, ...], list[list[str]]]:
    """Every Markdown table of a card: the texts a reader sees, by its headings."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page)
    tables: dict[tuple[str, ...], list[list[str]]] = {}
    rows: list[list[str]] = []
    for position, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(shown(tokens[position + 1]))
        elif token.type == "table_close":
            tables[tuple(rows[0])] = rows[1:]
            rows = []
    return tables


def shown(inline: Any) -> str:
    """The text of a Markdown inline; only `<code>` may be HTML in it."""
    parts = []
    for token in inline.children:
        if token.type == "html_inline":
            assert token.content in ("<code>", "</code>")
        else:
            assert token.type in ("text", "code_inline", "strong_open", "strong_close", "text_special"), token
            parts.append(token.content)
    return "".join(parts)


# ---- what the datasets library makes of the folder


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_datasets_library_loads_the_ladders_own_rows(
    subset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    loaded = datasets.load_dataset(
        "datasets/prompt_sensitivity_ladder", subset, split="test", cache_dir=str(tmp_path)
    )
    assert loaded.to_list() == rows_from_pairs(load_ladder(FOLDER, subset).pairs)


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_front_matter_is_what_the_library_derives_from_the_parquet_alone(
    subset: str, tmp_path: Path
) -> None:
    file = FOLDER / subset / "test.parquet"
    derived = datasets.load_dataset(
        "parquet", data_files={"test": str(file)}, split="test", cache_dir=str(tmp_path)
    ).info
    (stated,) = (info for info in front_matter()["dataset_info"] if info["config_name"] == subset)
    assert stated == {**derived._to_yaml_dict(), "config_name": subset}


def test_the_default_configuration_is_the_one_that_is_meant(tmp_path: Path) -> None:
    copy = shutil.copytree(
        FOLDER, tmp_path / "ladder"
    )  # the name of a cached folder is part of its cache key
    builder = datasets.load_dataset_builder(str(copy), cache_dir=str(tmp_path / "cache"))
    assert builder.config.name == default_subset(ladders())
    assert [config["config_name"] for config in front_matter()["configs"]] == SUBSETS
    assert sum("default" in config for config in front_matter()["configs"]) == 1


def test_the_size_category_is_that_of_the_largest_subset() -> None:
    low, high = {"n<1K": (0, 1e3), "1K<n<10K": (1e3, 1e4), "10K<n<100K": (1e4, 1e5)}[
        front_matter()["size_categories"][0]
    ]
    assert low <= max(pq.read_metadata(FOLDER / each / "test.parquet").num_rows for each in SUBSETS) < high


# ---- the committed card


def test_the_committed_card_is_what_is_built_from_the_committed_data() -> None:
    assert card_of_folder(FOLDER) == card()
    assert is_generated(card())


def test_a_card_of_other_rows_is_another_card(folder: Path) -> None:
    before = card_of_folder(folder)
    for subset in SMALL:
        pairs = [replace(pair, ladder_version="9.9") for pair in load_ladder(folder, subset).pairs]
        write_parquet(pairs, folder / subset / "test.parquet")
    write_measured(fake_measured(folder), folder / MEASURED_FILE)
    after = card_of_folder(folder)
    assert after != before
    assert "version 9.9:" in after and "`v9.9`" in after


def test_no_slot_of_the_template_stays_open() -> None:
    assert not re.search(r"\{[{%#]\s*\w+", card().replace("{{The lm-eval-sensitivity authors}}", ""))


def test_the_counts_are_those_of_the_parquet_files() -> None:
    tables = parsed_tables(card())
    rows = {each: pq.read_table(FOLDER / each / "test.parquet").to_pylist() for each in SUBSETS}
    by_edit = tables[("edit", *(f"pairs in {each}" for each in SUBSETS))]
    assert {row[0]: [int(cell) for cell in row[1:]] for row in by_edit} == {
        edit: [sum(row["edit"] == edit for row in rows[each]) for each in SUBSETS]
        for edit in {row["edit"] for row in rows[SUBSETS[0]]}
    }
    by_category = tables[("category", *(f"prompts in {each}" for each in SUBSETS))]
    for name, *counts in by_category:
        assert [int(count) for count in counts] == [
            len({row["prompt_id"] for row in rows[each] if row["category"] == name}) for each in SUBSETS
        ]
    (by_rung,) = (
        table for headings, table in tables.items() if headings[0] == "rung" and "edit" not in headings
    )
    for row in by_rung:
        rung, _, edit = row[0].partition(": ")
        assert [int(cell) for cell in row[3:-1]] == [
            sum(each["rung"] == rung and edit in ("", each["edit"]) for each in rows[subset])
            for subset in SUBSETS
        ]
    hashes = {row[0]: row[1] for row in tables["subset", "content hash (SHA-256)", "prompts", "pairs"]}
    assert hashes == {each.subset: each.content_hash for each in ladders()}


def test_every_edit_has_an_example_that_is_a_row_and_shows_a_change() -> None:
    (rows,) = (table for headings, table in parsed_tables(card()).items() if headings[:2] == ("rung", "edit"))
    assert [row[1] for row in rows] == list(ladders()[0].edits)
    found = {(pair.edit, *excerpts(pair)) for pair in ladders()[0].pairs}
    for _, edit, meaning, before, after, _ in rows:
        assert (edit, before, after) in found
        assert (before == after) == (edit == "identical")
        assert meaning.endswith(".")


def test_every_change_in_the_ladder_can_be_seen() -> None:
    for pair in ladders()[0].pairs:
        before, after = excerpts(pair)
        assert (before != after) == (pair.rung != "identical"), pair.pair_id
        assert before.isprintable() and after.isprintable()


def test_the_drawn_rows_are_there_in_full() -> None:
    import random

    authored = [pair for pair in ladders()[0].pairs if pair.origin == "authored"]
    drawn = random.Random(SAMPLE_SEED).sample(authored, 10)
    section = card().split("## Rows in full")[1].split("\n## ")[0]
    tokens = MarkdownIt("commonmark", {"html": True}).parse(section)
    lines = [shown(token) for token in tokens if token.type == "inline"]
    for pair in drawn:
        for part in (
            f"base: {visible(pair.base)}",
            f"variant: {visible(pair.variant)}",
            f"reason: {pair.reason}",
        ):
            assert part in lines
    assert sum(line.startswith("variant: ") for line in lines) == 10


def test_the_citation_is_that_of_the_repository() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert f"title   = {{{citation['title']}}}" in card()
    assert f"author  = {{{{{citation['authors'][0]['name']}}}}}" in card()
    assert citation["license"].lower() == front_matter()["license"]


def test_eval_yaml_names_tasks_and_configurations_that_exist() -> None:
    stated = yaml.safe_load((FOLDER / "eval.yaml").read_text(encoding="utf-8"))
    assert set(stated) == {"name", "description", "evaluation_framework", "tasks"}
    assert stated["name"] == front_matter()["pretty_name"]
    groups = {}
    for file in (REPOSITORY / "tasks" / "prompt_sensitivity").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("!function", "")
        groups[yaml.safe_load(text).get("group")] = yaml.safe_load(text)
    for task in stated["tasks"]:
        first = groups[task["id"]]["task"][0].removeprefix("prompt_sensitivity_")
        file = REPOSITORY / "tasks" / "prompt_sensitivity" / f"{first}.yaml"
        assert yaml.safe_load(file.read_text(encoding="utf-8"))["dataset_kwargs"]["subset"] == task["config"]
        assert task["config"] in {config["config_name"] for config in front_matter()["configs"]}
        assert task["split"] == "test"


# ---- measured.json


def test_the_committed_measurements_are_of_the_committed_rows() -> None:
    assert {read_measured(FOLDER / MEASURED_FILE).distances.content_hash, audit().content_hash} == {
        packaged().content_hash
    }
    assert [each.edit for each in read_measured(FOLDER / MEASURED_FILE).distances.edits] == list(
        packaged().edits
    )
    n_pairs = Counter(pair.edit for pair in packaged().pairs if pair.rung != "identical")
    assert audit().n_pairs == n_pairs
    for each in audit().systems:
        assert set(each.n_reached) == set(n_pairs)
        assert all(0 <= each.n_reached[edit] <= n_pairs[edit] for edit in n_pairs)


def test_no_edit_is_erased_by_every_family() -> None:
    for edit in audit().n_pairs:
        assert any(each.n_reached[edit] for each in audit().systems), edit


def test_the_neutral_tokenizer_erases_nothing_by_itself() -> None:
    (neutral,) = (each for each in audit().systems if each.system == System(NEUTRAL_TOKENIZER, None, False))
    assert neutral.n_reached == audit().n_pairs


def test_the_card_shows_the_whole_grid() -> None:
    tables = parsed_tables(card())
    n_pairs = audit().n_pairs
    bare = {each.system.tokenizer: each for each in audit().systems if each.system.template is None}
    rows = tables[("edit", "pairs", *bare)]
    assert [row[0] for row in rows] == list(n_pairs)
    for edit, n, *cells in rows:
        counts = [n if cell == "all" else cell for cell in cells]
        assert [int(count) for count in counts] == [each.n_reached[edit] for each in bare.values()]
    templated = [each for each in audit().systems if each.system.template is not None]
    ((headings, grid),) = ((key, rows) for key, rows in tables.items() if key[0] == "chat template")
    edits = [heading.split(" of ")[0] for heading in headings[2:]]
    for audited, (template, tokenizer, *cells) in zip(templated, grid, strict=True):
        assert template in (audited.system.template, "the tokenizer's own")
        assert tokenizer == audited.system.tokenizer + " (stand-in)" * audited.system.stand_in
        counts = [n_pairs[e] if cell == "all" else int(cell) for e, cell in zip(edits, cells, strict=True)]
        assert counts == [audited.n_reached[edit] for edit in edits]
        # An edit without a column reaches everything.
        assert all(audited.n_reached[edit] == n_pairs[edit] for edit in n_pairs if edit not in edits)


def test_a_part_of_the_pairs_is_shown_as_a_number_and_unaudited_ladders_say_so(folder: Path) -> None:
    measured = fake_measured(folder)
    assert measured.audit is not None
    bare, templated = measured.audit.systems
    bare = replace(bare, n_reached={**bare.n_reached, "nbsp": bare.n_reached["nbsp"] - 1})
    write_measured(
        replace(measured, audit=replace(measured.audit, systems=(bare, templated))), folder / MEASURED_FILE
    )
    rows = parsed_tables(card_of_folder(folder))[("edit", "pairs", "bare")]
    shown_counts = {row[0]: row[1:] for row in rows}
    assert shown_counts["nbsp"] == [str(bare.n_reached["nbsp"] + 1), str(bare.n_reached["nbsp"])]
    assert shown_counts["double_space"][1] == "all"
    write_measured(replace(measured, audit=None), folder / MEASURED_FILE)
    assert "No tokenizer was audited" in card_of_folder(folder)


def test_every_template_and_tokenizer_of_the_shared_folder_is_in_the_grid(shared: Path) -> None:
    names = {path.parent.name for path in (shared / "tokenizers").glob("*/tokenizer.json")}
    templates = {path.stem for path in (shared / "templates").glob("*.jinja")}
    systems = [each.system for each in audit().systems]
    assert {each.tokenizer for each in systems if each.template is None} == names
    assert {each.template for each in systems} - {None, OWN_TEMPLATE} == templates == set(PARTNERS)
    assert {NEUTRAL_TOKENIZER, *filter(None, PARTNERS.values())} <= names


SAMPLE = [
    ("llama3", None),
    ("qwen3", OWN_TEMPLATE),
    ("gpt2", "gemma-3-it"),
    ("phi4", "phi-4"),
    ("mistral_tekken", "mistral-v13-think"),
]


@pytest.mark.parametrize(("tokenizer", "template"), SAMPLE)
def test_a_sample_of_the_grid_computed_again(tokenizer: str, template: str | None, shared: Path) -> None:
    """On a few prompts pair by pair, and those against the recorded counts where all or none arrive."""
    (recorded,) = (
        each
        for each in audit().systems
        if (each.system.tokenizer, each.system.template) == (tokenizer, template)
    )
    pairs = [pair for pair in packaged(subset="mini").pairs if pair.rung != "identical"]
    again = audit_system(recorded.system, pairs, shared / "tokenizers", shared / "templates")
    assert (again.tokenizer_sha256, again.template_sha256) == (
        recorded.tokenizer_sha256,
        recorded.template_sha256,
    )
    for edit, n_reached in again.n_reached.items():
        n_here, n_full = sum(pair.edit == edit for pair in pairs), audit().n_pairs[edit]
        if recorded.n_reached[edit] == n_full:
            assert n_reached == n_here, edit
        if recorded.n_reached[edit] == 0:
            assert n_reached == 0, edit


@pytest.mark.parametrize("part", ["distances", "audit"])
def test_a_stale_part_is_refused_with_what_to_run(part: str, folder: Path) -> None:
    path = folder / MEASURED_FILE
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored[part]["content_hash"] = "0" * 64
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"content hash 000000000000\.\.\..*ladder describe .* --tokenizers DIR"
    ):
        card_of_folder(folder)


@pytest.mark.parametrize(
    "stored",
    ["", "[]", "{}", "not json", '{"ladder_version": 1, "subset": "full", "distances": 3, "audit": null}'],
)
def test_a_file_that_is_no_measurement_is_refused_in_a_sentence(stored: str, folder: Path) -> None:
    (folder / MEASURED_FILE).write_text(stored, encoding="utf-8")
    with pytest.raises(InputError, match=r"measured\.json"):
        card_of_folder(folder)


def test_a_folder_that_was_never_measured_is_refused(folder: Path) -> None:
    (folder / MEASURED_FILE).unlink()
    with pytest.raises(InputError, match=r"does not exist\. Run `lm-eval-sensitivity ladder describe"):
        card_of_folder(folder)


def test_missing_pydantic_names_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(InputError, match=r'pip install "lm-eval-sensitivity\[ladder\]"'):
        read_measured(folder / MEASURED_FILE)


def test_medians_are_medians() -> None:
    ladder = packaged(subset="mini")
    measured = measure_distances(ladder, fake_encode, {})
    one, other = (np.array([1.0, 0.0]), np.array([0.0, 1.0]))

    def distance(base: str, variant: str) -> float:
        a, b = one + len(base) * other, one + len(variant) * other
        return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    controls = {"control_reversal", "control_topic"}
    assert set(measured.rungs) == {*ladder.rungs, *controls} - {"positive_control"}
    for name, median in measured.rungs.items():
        pairs = [pair for pair in ladder.pairs if (pair.edit if name in controls else pair.rung) == name]
        brute = np.median([distance(pair.base, pair.variant) for pair in pairs])
        assert median == pytest.approx(brute, abs=1e-4)


def test_pairs_without_a_distance_are_left_out_and_counted(tmp_path: Path) -> None:
    """An embedder that reads nothing of some texts, and of every text of one edit."""
    ladder = packaged(subset="mini")
    unread = {pair.variant for pair in ladder.pairs if pair.edit == "control_topic"}
    unread |= {pair.variant for pair in ladder.pairs[::7]}

    def encode(texts: Sequence[str]) -> np.ndarray:
        vectors = fake_encode(texts)
        vectors[[text in unread for text in texts]] = np.nan
        return vectors

    measured = measure_distances(ladder, encode, {})
    full = prompt_distances(ladder.pairs, embed(ladder.pairs, fake_encode))
    for each in measured.edits:
        pairs = [pair for pair in ladder.pairs if pair.edit == each.edit]
        read = [full[pair.pair_id] for pair in pairs if not {pair.base, pair.variant} & unread]
        assert (each.n_pairs, each.n_distances) == (len(pairs), len(read)), each.edit
        if read:
            brute = np.quantile(read, [0.25, 0.5, 0.75])
            found = [each.lower_quartile, each.median, each.upper_quartile]
            assert found == pytest.approx(brute, abs=1e-4)
    (topic,) = (each for each in measured.edits if each.edit == "control_topic")
    assert (topic.n_distances, topic.lower_quartile, topic.median, topic.upper_quartile) == (
        0,
        None,
        None,
        None,
    )
    assert measured.rungs["control_topic"] is None and measured.rungs["noop"] is not None
    assert any(0 < each.n_distances < each.n_pairs for each in measured.edits)
    write_measured(Measured("1", "mini", measured, None), tmp_path / "measured.json")
    text = (tmp_path / "measured.json").read_text(encoding="utf-8")
    assert "NaN" not in text and '"control_topic": null' in text
    assert read_measured(tmp_path / "measured.json").distances == measured


def test_an_edit_without_distances_has_none_in_the_card(folder: Path) -> None:
    measured = fake_measured(folder)
    edits = tuple(
        replace(each, n_distances=0, median=None) if each.edit == "nbsp" else each
        for each in measured.distances.edits
    )
    rungs = {**measured.distances.rungs, "control_topic": None}
    distances = replace(measured.distances, edits=edits, rungs=rungs)
    write_measured(replace(measured, distances=distances), folder / MEASURED_FILE)
    tables = parsed_tables(card_of_folder(folder))
    last = {
        (row[0], row[1]): row[-1]
        for headings, rows in tables.items()
        if "median distance" in headings
        for row in rows
    }
    assert last["noop", "nbsp"] == "none"
    assert [value for (name, _), value in last.items() if name == "positive_control: control_topic"] == [
        "none"
    ]


# ---- building a folder


def test_building_writes_the_card_only_where_it_is_a_generated_one(folder: Path) -> None:
    page = folder / "README.md"
    page.write_text(page.read_text(encoding="utf-8") + "an addition", encoding="utf-8")
    build_folder(folder)
    assert "an addition" not in page.read_text(encoding="utf-8")
    page.write_text("# My own page\n", encoding="utf-8")
    build_folder(folder)
    assert page.read_text(encoding="utf-8") == "# My own page\n"
    page.unlink()
    build_folder(folder)
    assert not page.exists()


def test_building_changed_sources_refuses_the_stale_card_after_the_parquet(folder: Path) -> None:
    top = folder / "sources" / "ladder.yaml"
    text = top.read_text(encoding="utf-8")
    top.write_text(re.sub("ladder_version: .*", 'ladder_version: "7.7"', text), encoding="utf-8")
    with pytest.raises(InputError, match="ladder describe"):
        build_folder(folder)
    assert load_ladder(folder).version == "7.7"


# ---- cards of other people's ladders


def test_a_minimal_card_loads_and_claims_no_licence(tmp_path: Path) -> None:
    write_parquet(packaged(subset="mini").pairs, tmp_path / "own" / "test.parquet")
    own = read_folder(tmp_path / "own")
    page = minimal_card("me/mine", own)
    (tmp_path / "own" / "README.md").write_text(page, encoding="utf-8")
    loaded = datasets.load_dataset(str(tmp_path / "own"), split="test", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == rows_from_pairs(packaged(subset="mini").pairs)
    assert not {"license", "language"} & set(yaml.safe_load(page.split("---\n")[1]))


CLAIMS = (
    *("Prompt Sensitivity Ladder", "apache", "second pass", "language models", "English", "@misc"),
    "measured with",
)
"""Words of the published ladder's card that say something no rows show."""


def test_the_claims_are_in_the_published_card() -> None:
    assert all(claim in card() for claim in CLAIMS)


def without_sources(folder: Path) -> None:
    shutil.rmtree(folder / "sources")


def without_a_subset(folder: Path) -> None:
    shutil.rmtree(folder / "core")


def with_a_minimal_card(folder: Path) -> None:
    """All files of the published form, but the ladder says that it is somebody's own."""
    own = read_folder(folder)
    page = minimal_card("me/mine", own)
    (folder / "README.md").write_text(page, encoding="utf-8")


@pytest.mark.parametrize("change", [without_sources, without_a_subset, with_a_minimal_card])
def test_somebodys_own_ladder_never_gets_the_published_claims(
    change: Callable[[Path], None], folder: Path
) -> None:
    """Even where the published card stands in the folder, and with measurements beside it."""
    change(folder)
    write_card(folder)
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert is_minimal(page) and is_generated(page) and MARKER not in page
    assert not [claim for claim in CLAIMS if claim in page]
    write_card(folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == page


def test_a_minimal_card_built_again_keeps_its_title(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    write_parquet(packaged(subset="mini").pairs, folder / "test.parquet")
    write_card(folder)
    assert "\n# own\n" in (folder / "README.md").read_text(encoding="utf-8")
    own = read_folder(folder)
    for title in ("me/mine", "it's `x` | $y", "1"):
        page = minimal_card(title, own)
        (folder / "README.md").write_text(page, encoding="utf-8")
        assert title_of(page, folder / "README.md") == title
        write_card(folder)
        assert (folder / "README.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("rungs", "tasks"),
    [
        (("identical", "noop", "punctuation"), "prompt_sensitivity_rules"),
        (RUNGS, "prompt_sensitivity"),
        (("identical", "paraphrase"), "prompt_sensitivity"),
    ],
)
def test_a_minimal_card_names_the_tasks_of_its_rungs(
    rungs: tuple[str, ...], tasks: str, tmp_path: Path
) -> None:
    pairs = [pair for pair in packaged(subset="mini").pairs if pair.rung in rungs]
    write_parquet(pairs, tmp_path / "test.parquet")
    own = read_folder(tmp_path)
    (line,) = (line for line in minimal_card("it's/x", own).splitlines() if "--tasks" in line)
    words = shlex.split(line)
    assert words[words.index("--tasks") + 1] == tasks
    assert json.loads(words[words.index("--metadata") + 1]) == {"ladder": "it's/x"}


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("---\ndataset_info: []\n---\n# x\n", "`dataset_info` of the front matter is not what"),
        ("---\nconfigs:\n- config_name: x\n---\n", "`configs` of the front matter is not what"),
        ("---\nsize_categories: [n>1T]\n---\n", "`size_categories` of"),
        ("---\n- a\n---\n", "no YAML mapping"),
        ("---\na: b\n", "no YAML mapping"),
        ("---\n{\n---\n", "no YAML mapping"),
    ],
)
def test_a_front_matter_that_contradicts_the_data_is_refused(page: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_own_card(page, ladders(), Path("README.md"))


def test_a_hand_written_card_may_leave_the_data_to_the_hub() -> None:
    check_own_card("# Only a title\n", ladders(), Path("README.md"))
    check_own_card("---\nlicense: mit\n---\n# x\n", ladders(), Path("README.md"))
    check_own_card(card(), ladders(), Path("README.md"))
    for marker in (MARKER, OWN_MARKER):
        assert not is_generated(f"---\nlicense: mit\n---\n# A title\n{marker}\n")


# ---- texts in Markdown


@example("<script>alert(1)</script>")
@example("a | b \\| c \\\\| d")
@example("`x` ``y``")
@example("![i](http://h/x.png) [l](javascript:x)")
@example("*a* _b_ **c** ~d~ $e$")
@example("&lt;b&gt; &amp;")
@example("</code><img src=x>")
@example("a\n\n# b\r\n| c |")
@given(st.text(max_size=40).filter(str.strip))
def test_whatever_a_text_holds_a_cell_shows_it_and_nothing_else(text: str) -> None:
    for cell in (code(visible(text)), plain(text)):
        table = parsed_tables(f"| x | y |\n|---|---|\n| {cell} | end |\n")
        ((first, second),) = table["x", "y"]
        assert (first, second) == (visible(text).strip(), "end") or first.strip() == visible(text).strip()
        assert second == "end"


def test_visible_texts_are_one_printable_line() -> None:
    everything = "".join(map(chr, [*range(0x500), *range(0x2000, 0x2070), 0xFEFF, 0xE000, 0x1F600]))
    assert visible(everything).isprintable()
    for invisible in "\u200b\u00ad\u202e\ufeff\u2028\x1b\r":
        assert visible(f"a{invisible}b") == f"a[U+{ord(invisible):04X}]b"


def test_counts_behind_a_survival_are_whole(shared: Path) -> None:
    pairs = packaged(subset="mini").pairs
    for row in survival_rows(load_encoder(str(shared / "tokenizers" / "qwen3")), pairs):
        assert row.n_reached == row.survival * row.n_pairs
