"""`ladder describe`: what it measures, what it leaves alone, and its doors."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lm_eval_sensitivity.embedder
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.embedder import EmbedderIdentity
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.authoring.card import MARKER
from lm_eval_sensitivity.ladder.authoring.folder import card_of_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from tests.unit.audit.made_tokenizer import EDGES, PLAIN, TRIMMED, build
from tests.unit.ladder.small_ladder import SUBSETS, clean_pairs, fake_encode, small_folder

PAIRS = load_ladder(subset="mini").pairs


@pytest.fixture(autouse=True)
def fake_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = EmbedderIdentity("fake/embedder", None, "f" * 64, "local", 9, 2)
    monkeypatch.setattr(
        lm_eval_sensitivity.embedder,
        "load_embedder",
        lambda: SimpleNamespace(identity=identity, encode=fake_encode),
    )


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """A single-file ladder, two tokenizers, two templates."""
    write_parquet(PAIRS, tmp_path / "own" / "test.parquet")
    build(tmp_path / "tokenizers" / "bare")
    build(tmp_path / "tokenizers" / "templated", template=TRIMMED)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keeps.jinja").write_text(PLAIN)
    (tmp_path / "templates" / "trims.jinja").write_text(TRIMMED)
    return {name: str(tmp_path / name) for name in ("own", "tokenizers", "templates")}


def describe(places: dict[str, str], *, audit: bool = True) -> dict[str, Any]:
    options = ["--tokenizers", places["tokenizers"], "--templates", places["templates"]] if audit else []
    assert main(["ladder", "describe", places["own"], *options]) == 0
    content: dict[str, Any] = json.loads((Path(places["own"]) / "measured.json").read_text(encoding="utf-8"))
    return content


def test_the_grid_has_every_tokenizer_bare_and_with_its_template_and_every_template_file(
    places: dict[str, str],
) -> None:
    audit = describe(places)["audit"]
    n_pairs = Counter(pair.edit for pair in PAIRS if pair.rung != "identical")
    assert audit["n_pairs"] == n_pairs
    found = {}
    for each in audit["systems"]:
        system = each["system"]
        erased = {edit for edit, n in each["n_reached"].items() if n == 0}
        assert all(n in (0, n_pairs[edit]) for edit, n in each["n_reached"].items())
        found[system["tokenizer"], system["template"], system["stand_in"]] = erased
        assert (each["template_sha256"] is None) == (system["template"] is None)
    assert found == {
        ("bare", None, False): set(),
        ("templated", None, False): set(),
        ("templated", "own", False): set(EDGES),
        # Unknown templates, and no neutral tokenizer in the folder: the first one stands in.
        ("bare", "keeps", True): set(),
        ("bare", "trims", True): set(EDGES),
    }


def test_distances_come_with_the_embedder_and_the_hash(places: dict[str, str]) -> None:
    content = describe(places)
    assert content["distances"]["embedder"]["name"] == "fake/embedder"
    assert content["distances"]["embedder"]["weights_sha256"] == "f" * 64
    assert content["distances"]["content_hash"] == load_ladder(subset="mini").content_hash
    assert content["ladder_version"] == load_ladder().version
    assert content["distances"]["rungs"]["identical"] == 0
    assert sum(each["n_pairs"] for each in content["distances"]["edits"]) == len(PAIRS)


def test_without_tokenizers_the_audit_is_left_as_it_is(
    places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = describe(places)
    capsys.readouterr()
    assert describe(places, audit=False) == before
    assert "left as it is: give --tokenizers and --templates" in capsys.readouterr().out


def test_without_tokenizers_and_former_audit_there_is_none(
    places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert describe(places, audit=False)["audit"] is None
    out = capsys.readouterr().out
    assert "no token audit" in out and "left as it is" not in out


@pytest.fixture
def published(tmp_path: Path, places: dict[str, str]) -> dict[str, str]:
    """The published form: three subsets and their sources."""
    folder = tmp_path / "own"
    shutil.rmtree(folder)
    small_folder(folder, card=False)
    (folder / "README.md").write_text(MARKER + "\n", encoding="utf-8")
    return places


def test_a_generated_card_follows(published: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    describe(published)
    folder = Path(published["own"])
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card == card_of_folder(folder)
    assert "`keeps`" in card and "(stand-in)" in card
    assert "README.md: written" in capsys.readouterr().out


def test_a_stale_audit_does_not_reach_the_card(
    published: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    describe(published)
    folder = Path(published["own"])
    before = (folder / "README.md").read_text(encoding="utf-8")
    for subset in SUBSETS:
        write_parquet(clean_pairs(subset)[1:], folder / subset / "test.parquet")
    capsys.readouterr()
    describe(published, audit=False)
    assert "is not written: the token audit belongs to other rows" in capsys.readouterr().out
    assert (folder / "README.md").read_text(encoding="utf-8") == before
    describe(published)
    assert (folder / "README.md").read_text(encoding="utf-8") == card_of_folder(folder) != before


def test_a_card_of_ones_own_is_left_alone(published: dict[str, str]) -> None:
    card = Path(published["own"]) / "README.md"
    card.write_text("# Mine\n", encoding="utf-8")
    describe(published)
    assert card.read_text(encoding="utf-8") == "# Mine\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{missing}"], "is no folder"),
        (["{empty}"], "holds no ladder"),
        (["{own}", "--templates", "{templates}"], "without `--tokenizers`"),
        (["{own}", "--tokenizers", "{missing}"], "`--tokenizers {missing}` has no"),
        (["{own}", "--tokenizers", "{empty}"], "has no `*/tokenizer.json`"),
        (["{own}", "--tokenizers", "{tokenizers}", "--templates", "{empty}"], "has no `*.jinja`"),
        (["{own}", "--tokenizers", "{broken}"], "could not be loaded"),
    ],
)
def test_mistakes_get_a_sentence(
    arguments: list[str],
    message: str,
    places: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places |= {name: str(tmp_path / name) for name in ("missing", "empty", "broken")}
    Path(places["empty"]).mkdir()
    (Path(places["broken"]) / "x").mkdir(parents=True)
    (Path(places["broken"]) / "x" / "tokenizer.json").write_text("{")
    assert main(["ladder", "describe", *(each.format(**places) for each in arguments)]) == 2
    error = capsys.readouterr().err
    assert message.format(**places) in error
    assert "Traceback" not in error
    assert not (Path(places["own"]) / "measured.json").exists()


def test_a_broken_former_file_is_refused_and_kept(
    places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(places["own"]) / "measured.json"
    path.write_text("{}", encoding="utf-8")
    assert main(["ladder", "describe", places["own"]]) == 2
    assert "cannot be read back" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "{}"
    describe(places)  # with an audit nothing of the former file is needed
