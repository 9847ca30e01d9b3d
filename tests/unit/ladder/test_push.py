"""`ladder push`: what is checked, what is published, and what is refused; over HTTP, from the real client."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lm_eval_sensitivity.cli import ladder_push
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.card import is_minimal
from lm_eval_sensitivity.ladder.authoring.checks import check_ladder
from lm_eval_sensitivity.ladder.authoring.files_to_publish import prepare
from lm_eval_sensitivity.ladder.authoring.folder import read_folder
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source
from tests.unit.hub.stand_in import Repository, StandInHub, oid, write_files
from tests.unit.ladder.small_ladder import clean_pairs, packaged, small_folder

FOLDER = packaged_folder()


@pytest.fixture
def hub(hub: StandInHub) -> StandInHub:
    """With a dataset in which nobody has put anything."""
    hub.repositories["dataset", "me/ladder"] = Repository()
    return hub


def ladder_in(hub: StandInHub) -> Repository:
    return hub.repositories["dataset", "me/ladder"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder in the published form, with everything in it that may be published and more."""
    folder = small_folder(tmp_path / "ladder")
    shutil.copy(FOLDER / "eval.yaml", folder / "eval.yaml")
    (folder / "notes.txt").write_text("not for publication")
    (folder / "sources" / "draft.txt").write_text("not for publication")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_parquet(clean_pairs("mini"), tmp_path / "own" / "test.parquet")
    return tmp_path / "own"


def push(*arguments: object) -> int:
    return main(["ladder", "push", "me/ladder", *map(str, arguments)])


def tag_of(folder: Path) -> str:
    return f"v{load_ladder(folder).version}"


def test_one_commit_with_exactly_these_files_and_a_tag(
    folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.repositories.clear()
    assert push(folder) == 0
    assert hub.calls.count("create_commit") == 1 and len(ladder_in(hub).commits) == 2
    subsets = [ladder.subset for ladder in read_folder(folder)]
    names = {f"{subset}/test.parquet" for subset in subsets}
    names |= {f"sources/{path.name}" for path in (FOLDER / "sources").glob("*.yaml")}
    assert set(ladder_in(hub).commits[-1]) == names | {"README.md", "eval.yaml", ".gitattributes"}
    for path, content in ladder_in(hub).commits[-1].items():
        if path != ".gitattributes":
            assert content == (folder / path).read_bytes()
    assert ladder_in(hub).tags == {tag_of(folder): oid(1)}
    assert f"hf://datasets/me/ladder@{tag_of(folder)} (public," in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mini/test.parquet", "core2/test.parquet"])
def test_a_tag_with_other_content_or_a_file_more_is_refused(
    name: str, folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(folder) == 0
    ladder_in(hub).commits[1][name] = b"other"
    assert push(folder) == 2
    error = capsys.readouterr().err
    assert f"has the tag '{tag_of(folder)}' already, with other content ('{name}')" in error
    assert len(ladder_in(hub).commits) == 2


def test_former_files_are_in_the_way_until_they_may_go(
    folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder_in(hub).commits[0] |= {
        "tiny/test.parquet": b"a",
        "sources/old.yaml": b"b",
        "figure.png": b"c",
        "README.md": b"d",
    }
    assert push(folder) == 2
    error = capsys.readouterr().err
    assert "'tiny/test.parquet', 'sources/old.yaml'" in error and "--delete-former" in error
    assert len(ladder_in(hub).commits) == 1 and ladder_in(hub).tags == {}
    assert push(folder, "--delete-former") == 0
    assert not {"tiny/test.parquet", "sources/old.yaml"} & set(ladder_in(hub).commits[1])
    assert ladder_in(hub).commits[1]["figure.png"] == b"c"
    assert ladder_in(hub).commits[1]["README.md"] == (folder / "README.md").read_bytes()
    assert ladder_in(hub).commits[0]["tiny/test.parquet"] == b"a", "a former commit keeps what it had"


def test_private_means_private(own: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(own, "--private") == 2, "there is a public one"
    hub.repositories.clear()
    assert push(own, "--private") == 0
    assert ladder_in(hub).private and "(private," in capsys.readouterr().out


def test_a_dry_run_lists_files_and_sizes_and_reaches_for_nothing(
    folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(folder, "--dry-run") == 0
    assert hub.calls == []
    out = capsys.readouterr().out
    size = (folder / "mini" / "test.parquet").stat().st_size
    (line,) = (line for line in out.splitlines() if "mini/test.parquet" in line)
    assert line.split()[1:] == [f"{size:,}", "bytes"]
    assert "notes.txt" not in out and "draft.txt" not in out and "measured.json" not in out


def test_eval_yaml_can_stay_behind(folder: Path, hub: StandInHub) -> None:
    assert push(folder, "--without-eval-yaml") == 0
    assert "eval.yaml" not in ladder_in(hub).commits[-1]


def test_the_packaged_ladder_is_the_default(
    folder: Path, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder_push, "packaged_folder", lambda: folder)
    assert push() == 0
    assert ladder_in(hub).commits[-1]["README.md"] == (folder / "README.md").read_bytes()


def test_no_token_on_the_command_line_and_help_says_what_is_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as done:
        push("--token", "x")
    assert done.value.code == 2
    with pytest.raises(SystemExit):
        push("--help")
    words = " ".join(capsys.readouterr().out.split())
    assert "--token" not in words
    assert "no sentence embedder" in words and "`ladder check` has more" in words


# ---- own ladders


def test_an_own_ladder_gets_a_minimal_card(own: Path, hub: StandInHub) -> None:
    assert push(own) == 0
    assert set(ladder_in(hub).commits[-1]) == {"README.md", "test.parquet", ".gitattributes"}
    assert b"# me/ladder" in ladder_in(hub).commits[-1]["README.md"]
    assert not (own / "README.md").exists()


def test_what_was_pushed_loads_as_a_ladder(own: Path, hub: StandInHub) -> None:
    assert push(own) == 0
    assert load_ladder("me/ladder").content_hash == load_ladder(own).content_hash


def downloaded(hub: StandInHub, folder: Path) -> Path:
    return write_files(ladder_in(hub).commits[-1], folder)


def test_a_published_own_ladder_is_downloaded_and_pushed_again(
    own: Path, hub: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(own) == 0
    copy = downloaded(hub, tmp_path / "down")
    assert push(copy) == 0
    assert "Nothing to do" in capsys.readouterr().out
    ladder_in(hub).tags.clear()
    pairs = [replace(pair, ladder_version="2") for pair in load_ladder(own).pairs]
    write_parquet(pairs, copy / "test.parquet")
    assert push(copy) == 0
    page = ladder_in(hub).commits[-1]["README.md"].decode()
    assert "ladder version `2`" in page and "apache" not in page


def test_an_own_card_gets_the_name_that_it_is_published_under(
    own: Path, hub: StandInHub, tmp_path: Path
) -> None:
    assert push(own) == 0
    copy = downloaded(hub, tmp_path / "down")
    ladder_in(hub).tags.clear()
    assert main(["ladder", "push", "you/other", str(copy)]) == 0
    page = hub.repositories["dataset", "you/other"].commits[-1]["README.md"].decode()
    assert "# you/other" in page and "me/ladder" not in page


def test_the_published_card_in_an_own_folder_is_not_published(own: Path, hub: StandInHub) -> None:
    shutil.copy(FOLDER / "README.md", own / "README.md")
    assert push(own) == 0
    page = ladder_in(hub).commits[-1]["README.md"].decode()
    assert is_minimal(page) and "apache" not in page and "second pass" not in page


def test_a_file_that_nobody_could_fetch_is_refused(
    own: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "test.parquet").rename(own / "rows.parquet")
    assert push(own) == 2
    assert "accepted is `test.parquet`. Rename it." in capsys.readouterr().err
    assert hub.calls == []


def test_an_own_card_is_published_as_it_is(own: Path, hub: StandInHub) -> None:
    (own / "README.md").write_text("# My prompts\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        assert push(own) == 0
    assert ladder_in(hub).commits[-1]["README.md"] == b"# My prompts\n"


# ---- what is refused before the Hub is asked


def spoil(folder: Path, how: str) -> None:
    parquet = folder / "mini" / "test.parquet"
    card = folder / "README.md"
    pairs = load_ladder(folder, "mini").pairs
    if how == "truncated parquet":
        parquet.write_bytes(parquet.read_bytes()[:-200])
    elif how == "other rows than the sources":
        write_parquet(pairs[1:], parquet)
    elif how == "a subset that the sources lack":
        write_parquet(pairs, folder / "extra" / "test.parquet")
    elif how == "another version":
        write_parquet([replace(pair, ladder_version="0.1") for pair in pairs], parquet)
    elif how == "edited card":
        card.write_text(card.read_text(encoding="utf-8").replace("English only.", "All languages."))
    elif how == "link":
        (folder / "notes.txt").rename(folder / "secret.yaml")
        (folder / "eval.yaml").unlink()
        (folder / "eval.yaml").symlink_to(folder / "secret.yaml")
    elif how == "linked card":
        card.rename(folder / "elsewhere.md")
        card.symlink_to(folder / "elsewhere.md")
    elif how == "no subset":
        for path in folder.glob("*/test.parquet"):
            path.unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated parquet", "not a readable parquet file"),
        ("other rows than the sources", "is not what its sources give"),
        ("a subset that the sources lack", "is not what its sources give"),
        ("another version", "different ladder versions"),
        ("edited card", "is not the card that the rows give"),
        ("link", "eval.yaml` is a link"),
        ("linked card", "README.md` is a link"),
        ("no subset", "holds no ladder"),
    ],
)
def test_a_folder_that_is_not_in_order_is_refused(
    how: str, message: str, folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, how)
    for arguments in ([], ["--dry-run"]):
        assert push(folder, *arguments) == 2
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error
    assert hub.calls == []


@pytest.mark.parametrize("version", ["1 0", "a/b", "../x", "x..y", "v.lock", "1.", "é", "\x1b[31m"])
def test_a_version_that_names_no_tag_is_refused(version: str, tmp_path: Path) -> None:
    pairs = [replace(pair, ladder_version=version) for pair in packaged(subset="mini").pairs]
    write_parquet(pairs, tmp_path / "test.parquet")
    with pytest.raises(InputError, match="can name no tag"):
        prepare(tmp_path, "me/x")


NO_NAMES = (
    *("ladder", "a/b/c", "../x", "me/x@main", "hf://datasets/x", "me/-x", "me/a--b", "me/a..b", "me/x.git"),
    *("é/x", "me/\x1b[31m", "me/" + "x" * 97, ""),
)


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_is_no_dataset_is_refused(
    name: str, own: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything else: not even the folder is looked at."""
    for folder in (own, own / "missing"):
        assert main(["ladder", "push", name, str(folder)]) == 2
        error = capsys.readouterr().err
        assert "Correct the name" in error and error.count("\n") == 1 and "\x1b" not in error
    assert hub.calls == []


def test_a_name_may_come_with_its_prefix(own: Path, hub: StandInHub) -> None:
    assert main(["ladder", "push", "hf://datasets/me/ladder", str(own)]) == 0
    assert b"# me/ladder\n" in ladder_in(hub).commits[-1]["README.md"]


def test_a_ladder_with_violations_is_not_published(
    tmp_path: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loading finds nothing in these rows; the checks do, and the first of their findings is named."""
    pairs = [pair for pair in clean_pairs("mini") if pair.edit != "nbsp"]
    write_parquet(pairs, tmp_path / "test.parquet")
    violations = check_ladder(tmp_path).violations
    assert len(violations) > 1
    for arguments in ([], ["--dry-run"]):
        assert push(tmp_path, *arguments) == 2
        error = capsys.readouterr().err
        assert f"it has {len(violations)} violations, the first is: {violations[0]}" in error
        assert "ladder check" in error and error.count("\n") == 1
    assert hub.calls == []


def test_remarks_do_not_keep_a_ladder_from_being_published(tmp_path: Path, hub: StandInHub) -> None:
    prompts = [AuthoredPrompt(f"p{n}", "uncategorized", f" Greet  customer {n}.", {}) for n in range(3)]
    write_parquet(build_pairs(Source("1", tuple(prompts))), tmp_path / "test.parquet")
    assert check_ladder(tmp_path).remarks
    assert push(tmp_path) == 0
    assert len(ladder_in(hub).commits) == 2


# ---- what the Hub refuses


def test_a_file_that_the_hub_refuses_can_stay_behind(
    folder: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.refuse("create_commit", 400, "Invalid eval.yaml: evaluation_framework")
    assert push(folder) == 2
    error = capsys.readouterr().err
    assert "`--without-eval-yaml`" in error and error.count("\n") == 1
