"""Authored sources: every mistake in the YAML is refused at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.sources import read_source, read_sources

GOOD = """\
ladder_version: "1"
prompts:
- id: rain
  category: factual
  base: Why does it rain?
  variants:
    synonym_1: {text: "Why does it pour?", reason: To pour is to rain.}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_good_source(tmp_path: Path) -> None:
    (prompt,) = read_source(write(tmp_path, GOOD)).prompts
    assert prompt.prompt_id == "rain"
    assert prompt.variants["synonym_1"].reason == "To pour is to rain."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"1"', "0.1", ["`ladder_version`", "float", "quotes"]),
        ("category: factual", "category: factuel", ["prompt 'rain'", "Did you mean 'factual'?"]),
        ("id: rain", "id: Rain Fall", ["prompt number 1", "'Rain Fall'", "hyphens"]),
        ("id: rain", "id: on", ["prompt number 1", "`id`", "bool"]),
        ("Why does it rain?", "''", ["prompt 'rain'", "`base`", "blank"]),
        (", reason: To pour is to rain.", "", ["synonym_1", "`reason` is missing"]),
        ('{text: "Why does it pour?", reason: To pour is to rain.}', "x", ["synonym_1", "not a mapping"]),
        ("  base:", "  base: x\n  base:", ["line 6", "`base` stands there twice"]),
        ("  base:", "  base: &a x\n  category: *a\n  x:", ["line 6", "aliases"]),
        ("- id", "- {\n- id", ["line"]),
        ("Why does it rain?", "!!python/name:os.system", ["line 5"]),
        ("Why does it rain?", "2020-99-99", ["not a readable ladder source"]),
    ],
)
def test_mistake_is_named_at_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_ladder(str(path))
    message = str(caught.value)
    assert "\n" not in message
    for part in [str(path), *expected]:
        assert part in message


def test_prompt_that_stands_there_twice(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + GOOD[GOOD.index("- id") :])
    with pytest.raises(InputError, match="'rain' stands there twice"):
        read_source(path)


def test_category_may_be_left_out(tmp_path: Path) -> None:
    (prompt,) = read_source(write(tmp_path, GOOD.replace("  category: factual\n", ""))).prompts
    assert prompt.category == "uncategorized"


def write_folder(folder: Path, ladder: str, **files: str) -> Path:
    (folder / "ladder.yaml").write_text(f'ladder_version: "1"\n{ladder}', encoding="utf-8")
    for name, ids in files.items():
        prompts = "".join(
            f"- {{id: {each}, category: {name}, base: What is {each}}}\n" for each in ids.split()
        )
        (folder / f"{name}.yaml").write_text(f"prompts:\n{prompts}", encoding="utf-8")
    return folder


def test_folder_of_sources_gives_nested_subsets_in_the_order_of_the_categories(tmp_path: Path) -> None:
    subsets = "subsets:\n  core: [sun, rain, rome]\n  mini: [rome, rain]\n"
    sources = read_sources(
        write_folder(
            tmp_path, subsets, factual="rain rome", scientific_explanation="sun", reasoning_math="sum"
        )
    )
    assert {name: [prompt.prompt_id for prompt in source.prompts] for name, source in sources.items()} == {
        "full": ["sum", "rain", "rome", "sun"],
        "core": ["rain", "rome", "sun"],
        "mini": ["rain", "rome"],
    }
    assert {source.ladder_version for source in sources.values()} == {"1"}


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        (
            "subsets: {core: [rain, snow], mini: [sun]}\n",
            "subset `mini` names the prompt 'sun'.*`core` does not",
        ),
        ("subsets: {core: rain}\n", "subset `core` is not a list"),
        ("", "`subsets` is missing"),
    ],
)
def test_mistake_in_the_subsets_is_named(tmp_path: Path, ladder: str, expected: str) -> None:
    write_folder(tmp_path, ladder, factual="rain snow sun")
    with pytest.raises(InputError, match=expected) as caught:
        read_sources(tmp_path)
    assert str(tmp_path / "ladder.yaml") in str(caught.value)


def test_prompts_must_be_a_filled_list(tmp_path: Path) -> None:
    for prompts in ("[]", "{}", "x"):
        with pytest.raises(InputError, match="`prompts` is not a list"):
            read_source(write(tmp_path, f'ladder_version: "1"\nprompts: {prompts}\n'))


def test_authored_variant_that_equals_its_base_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("pour?", "rain?"))
    with pytest.raises(InputError, match="'rain/synonym_1': `variant` equals `base`"):
        load_ladder(str(path))


def test_absurd_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a readable ladder source"):
        read_source(write(tmp_path, "[" * 20_000))
