"""Results folders of strangers: whatever is in them, one sentence names file and field."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.limits import (
    LONGEST_DETAIL,
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_SENTENCE,
    MAX_MANIFEST_BYTES,
    MOST_CLUSTERS,
    MOST_SENTENCES,
)
from lm_eval_sensitivity.results import open_results, tables
from lm_eval_sensitivity.results.manifest import details_name, pairs_name
from lm_eval_sensitivity.results.read import read_everything, read_results
from lm_eval_sensitivity.results.tables import DETAILS, PAIRS, TableSpec, write_parquet
from lm_eval_sensitivity.space.query import LONGEST_VALUE
from lm_eval_sensitivity.stats.clusters import cluster_letters
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from tests.unit.results.made_results import NASTY_NAMES, declare, edit_manifest

MANIFEST, STATEMENTS, LADDER = "manifest.json", "statements.json", "ladder.parquet"
OF_PAIRS, OF_DETAILS = pairs_name(1), details_name(1)
Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    name: str
    damage: Damage
    file: str
    says: str
    """A part of the message: the field, or what is wrong with the file."""


# ---- what a stranger can do


def put(value: Any, path: str, new: Any) -> None:
    """Change what stands at a path such as `systems[0].name`."""
    *before, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    for part in before:
        value = value[part]
    value[last] = new


def in_json(name: str, **changes: Any) -> Damage:
    """Change a JSON file by path; the manifest agrees with it."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        for path, new in changes.items():
            put(content, path, new(content) if callable(new) else new)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
        if name != MANIFEST:
            declare(folder, name)

    return damage


def of_manifest(path: str, value: Any, says: str | None = None, name: str | None = None) -> Case:
    return Case(
        name or f"{path} {str(value)[:20]!r}",
        in_json(MANIFEST, **{path: value}),
        MANIFEST,
        says or f"`{path}`",
    )


def stated(path: str, value: Any, says: str | None = None) -> Case:
    """A statement with another value; the message names its path, or what is said instead."""
    damage = in_json(STATEMENTS, **{path: value})
    return Case(f"{path} {str(value)[:20]!r}", damage, STATEMENTS, f"`{says or path}`")


def changed(
    name: str, change: Callable[[pa.Table], pa.Table], spec: TableSpec | None = None, **options: Any
) -> Damage:
    """Rewrite a table; the manifest agrees with it."""

    def damage(folder: Path) -> None:
        table = change(pq.read_table(folder / name))
        if options or name == LADDER:
            pq.write_table(table, folder / name, **{"compression": "snappy", **options})
        else:
            own = PAIRS if name.startswith("pairs") else DETAILS
            write_parquet(table, folder / name, spec or own)
        declare(folder, name, rows=table.num_rows)

    return damage


def with_cell(column: str, value: Any, row: int = 0) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        at = table.schema.get_field_index(column)
        return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    return change


def with_column(column: str, values: Callable[[pa.Table], Any]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(column), column, values(table))


def cell(file: str, column: str, value: Any, row: int = 0, says: str | None = None) -> Case:
    """A table with another cell."""
    place = f"`{column}`, row {row + 1}" if says is None else says
    return Case(f"{column} {str(value)[:20]!r}", changed(file, with_cell(column, value, row)), file, place)


def in_detail(path: str, value: Any, row: int = 0) -> Callable[[pa.Table], pa.Table]:
    """Another value in the record of one pair."""

    def change(table: pa.Table) -> pa.Table:
        content = json.loads(table["detail"][row].as_py())
        put(content, path, value)
        return with_cell("detail", json.dumps(content), row)(table)

    return change


def detail(path: str, value: Any, says: str | None = None) -> Case:
    place = f"row 1: `{says or path}`"
    return Case(f"{path} {str(value)[:20]!r}", changed(OF_DETAILS, in_detail(path, value)), OF_DETAILS, place)


def of_bytes(name: str, change: Callable[[bytes], bytes], *, declared: bool = True) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        if declared and name != MANIFEST:
            declare(folder, name)

    return damage


def with_bytes(name: str, file: str, change: Callable[[bytes], bytes], says: str, **options: Any) -> Case:
    return Case(name, of_bytes(file, change, **options), file, says)


def named(*names: str) -> Damage:
    """Other names of the systems, in the manifest."""
    return in_json(MANIFEST, **{f"systems[{at}].name": name for at, name in enumerate(names)})


def linked(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return damage


def a_pipe(folder: Path) -> None:
    (folder / STATEMENTS).unlink()
    os.mkfifo(folder / STATEMENTS)


def not_a_file(folder: Path) -> None:
    (folder / OF_PAIRS).unlink()
    (folder / OF_PAIRS).mkdir()


def declared(name: str, /, **changes: Any) -> Damage:
    """What the manifest says of a file."""

    def damage(folder: Path) -> None:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        edit_manifest(folder, files={**files, name: {**files.get(name, {}), **changes}})

    return damage


def undeclared(folder: Path) -> None:
    files = json.loads((folder / MANIFEST).read_text())["files"]
    edit_manifest(folder, files={name: each for name, each in files.items() if name != LADDER})


def swapped_systems(folder: Path) -> None:
    (folder / OF_PAIRS).write_bytes((folder / pairs_name(2)).read_bytes())
    declare(folder, OF_PAIRS)


def long_id(table: pa.Table) -> pa.Table:
    """A ladder that is true to itself, with an id that no address can hold."""
    from lm_eval_sensitivity.ladder.schema import row_hash

    rows = table.to_pylist()
    rows[-1] |= {"prompt_id": "p" * LONGEST_ID, "pair_id": f"{'p' * LONGEST_ID}/{rows[-1]['edit']}"}
    rows[-1]["row_hash"] = row_hash(rows[-1])
    return pa.Table.from_pylist(rows, schema=table.schema)


def rewritten(
    name: str, file: str, says: str, change: Callable[[pa.Table], pa.Table], **options: Any
) -> Case:
    return Case(name, changed(file, change, **options), file, says)


def same(table: pa.Table) -> pa.Table:
    return table


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def without_last(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows - 1)


def reversed_rows(table: pa.Table) -> pa.Table:
    return table.take(pa.array(range(table.num_rows - 1, -1, -1)))


def one_filter(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["filter"], "raw"))


def of(path: str) -> Callable[[Any], Any]:
    """What stands at a path of the same file."""

    def find(content: Any) -> Any:
        for part in re.findall(r"[^.\[\]]+", path):
            content = content[int(part) if part.isdigit() else part]
        return content

    return find


def all_in(n: int) -> Damage:
    """Every system in every one of n clusters."""
    letters = list(islice(cluster_letters(), n))

    def damage(folder: Path) -> None:
        statement = json.loads((folder / STATEMENTS).read_text())["clusters"][0]
        members = [each["system"] for each in statement["systems"]]
        changes: dict[str, Any] = {
            "clusters[0].clusters": [{"letter": a, "members": members} for a in letters]
        }
        changes |= {f"clusters[0].systems[{at}].letters": letters for at in range(len(members))}
        in_json(STATEMENTS, **changes)(folder)

    return damage


# ---- what is said

ROW, CELL = "clusters[0].systems[0]", "heatmaps[0].cells[0]"
POINT, AXES = "windows[0].points[0]", "drift[0].systems"
NAN, INFINITE = float("nan"), float("inf")
LONG, MANY = "x" * (LONGEST_SENTENCE + 1), ["x"] * (MOST_SENTENCES + 1)
TOGETHER = [{"kind": "left_out", "text": "x" * LONGEST_SENTENCE, "about": ["x"]}] * 50
SENTENCE = {"kind": "caution", "text": "x", "about": []}
OVER_NAME = "x" * (LONGEST_NAME + 1)
WHOLE = {"sha256": "0" * 64, "bytes": 1, "rows": 1}

OF_THE_MANIFEST = [
    Case("no manifest", lambda folder: (folder / MANIFEST).unlink(), MANIFEST, "is missing"),
    with_bytes("no JSON", MANIFEST, lambda _: b"{", "as JSON"),
    with_bytes("a list", MANIFEST, lambda _: b"[]", "an object"),
    with_bytes("deep JSON", MANIFEST, lambda _: b"[" * 200_000, "recursion limit"),
    with_bytes("large", MANIFEST, lambda data: data + b" " * MAX_MANIFEST_BYTES, "bytes; at most"),
    Case("surrogate", in_json(MANIFEST, **{"systems[0].name": "\ud800"}), MANIFEST, "as JSON"),
    Case("code-point order", named("Llama", "Qwen", "gemma", "mistral"), MANIFEST, "`systems`"),
    of_manifest("kind", "a tokenizer"),
    of_manifest("format", 2, "`format` is 2"),
    of_manifest("format_version", 1, "export` on the runs again"),
    of_manifest("systems[3].name", OVER_NAME),
    of_manifest("systems[0].name", " "),
    of_manifest("systems[1].name", NASTY_NAMES[0], "`systems`"),
    of_manifest("systems[0].facts", [["Model", OVER_NAME]], "`systems[0].facts[0][1]`"),
    of_manifest("systems[0].facts", [["a"]], "`systems[0].facts[0]"),
    of_manifest("systems[1].index", 0),
    of_manifest("systems[0].fingerprint", "../x"),
    of_manifest("systems", []),
    of_manifest("series", {OVER_NAME: [1, 2]}, "series"),
    of_manifest("series", {"a": [1, 9]}),
    of_manifest("series", {"a": [1, 1]}),
    of_manifest("series", {"a": [1, 2], "b": [2, 3]}),
    of_manifest("series", {"a": [1]}, "`series.a`"),
    of_manifest("reference", 7),
    of_manifest("remarks", [LONG], "`remarks[0]`"),
    of_manifest("remarks", MANY),
    of_manifest("remarks", ["x" * LONGEST_SENTENCE] * 50),
    of_manifest("left_out", [{**TOGETHER[0], "text": LONG}], "`left_out[0].text`"),
    of_manifest("selections_left_out", TOGETHER),
    of_manifest("signature.subset", LONG),
    of_manifest("signature.package_version", "1}}, author={{Evil"),
    of_manifest("alpha", NAN),
    of_manifest("alpha", None),
    of_manifest("alpha", INFINITE),
    of_manifest("signature.resamples", MOST_RESAMPLES + 1),
    of_manifest("signature.draws", FEWEST_RESAMPLES - 1),
    of_manifest("signature.seed", -1),
    of_manifest("signature.decoding.greedy", 1),
    of_manifest("signature.decoding.max_gen_toks", "x"),
    of_manifest("signature.decoding.unheard_of", 1),
    of_manifest("signature.embedder", {}, "`signature.embedder.name`"),
    of_manifest("signature.systems", {"x": "0" * 16}),
    of_manifest("signature.decoding.until", ["x"] * 101),
    of_manifest("n_pairs", 0),
    of_manifest("unheard_of", 1),
    Case("many bytes", declared(STATEMENTS, bytes=2**30), MANIFEST, "bytes`"),
    Case("a path", declared(STATEMENTS, name="../x"), MANIFEST, "name`"),
    Case("file of nobody", declared("../../x\x1b[31m", **WHOLE), MANIFEST, r"'../../x\x1b[31m'"),
    Case("file not named", undeclared, MANIFEST, "`files.ladder.parquet` is missing"),
]
OF_FILES = [
    Case("other sha256", declared(STATEMENTS, sha256="0" * 64), STATEMENTS, "sha256"),
    Case("other rows", declared(OF_PAIRS, rows=3), OF_PAIRS, "rows"),
    Case("too many rows", declared(OF_PAIRS, rows=10**9), OF_PAIRS, "rows"),
    Case("missing", lambda folder: (folder / STATEMENTS).unlink(), STATEMENTS, "is missing"),
    Case("a link", linked(LADDER), LADDER, "symbolic link"),
    Case("a link to a folder", linked("pairs"), "pairs", "symbolic link"),
    Case("a pipe", a_pipe, STATEMENTS, "regular file"),
    Case("a folder", not_a_file, OF_PAIRS, "directory"),
    with_bytes("one byte", OF_PAIRS, lambda data: data[:40] + b"?" + data[41:], "sha256", declared=False),
    with_bytes("other size", OF_PAIRS, lambda data: data + b"?", "bytes", declared=False),
    with_bytes("truncated", OF_PAIRS, lambda data: data[: len(data) // 2], "is no parquet file"),
    with_bytes("a pickle", OF_PAIRS, lambda _: pickle.dumps([1]), "is no parquet file"),
    with_bytes("a page", OF_PAIRS, lambda data: data[:30] + b"?????" + data[35:], "is damaged"),
    with_bytes(
        "huge footer", OF_PAIRS, lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1", "is no parquet file"
    ),
    with_bytes(
        "footer", OF_PAIRS, lambda data: data[:-300] + b"\xff" * 100 + data[-200:], "is no parquet file"
    ),
    with_bytes("no JSON", STATEMENTS, lambda data: data[:-9], "as JSON"),
    with_bytes("deep JSON", STATEMENTS, lambda _: b"[" * 200_000, "recursion limit"),
    with_bytes("a pickle of statements", STATEMENTS, lambda _: pickle.dumps([1]), "as JSON"),
]
OF_STATEMENTS = [
    stated(f"{ROW}.mean.estimate", "0.1"),
    stated(f"{ROW}.mean.estimate", True),
    stated(f"{ROW}.mean", None),
    stated(f"{ROW}.mean.unheard_of", 1),
    stated(f"{ROW}.mean.method", "\x1b[2J"),
    stated(f"{ROW}.mean.n", -1),
    stated(f"{ROW}.mean.n", 1.5),
    stated(f"{ROW}.mean.reason", LONG),
    stated(f"{ROW}.mean.estimate", -5.0),
    stated(f"{CELL}.mean.estimate", 1.7e308),
    stated(f"{ROW}.mean.upper", 1.7e308),
    stated(f"{ROW}.mean.lower", -1.7e308),
    stated(f"{ROW}.noise.estimate", 3.0),
    stated(f"{ROW}.mean.upper", None),
    stated(f"{ROW}.mean.estimate", None),
    stated(f"{ROW}.mean.lower", 1.99, f"{ROW}.mean.upper"),
    stated(f"{ROW}.counts.n_prompts", 0, f"{ROW}.mean.estimate"),
    stated(f"{ROW}.noise.n", 0, f"{ROW}.noise.estimate"),
    stated(f"{ROW}.counts.n_prompts", 9_999),
    stated(f"{ROW}.counts.n_pairs", -1),
    stated(f"{ROW}.n_zero", 9_999),
    stated(f"{ROW}.system", "nobody"),
    stated(f"{ROW}.system", of("clusters[0].systems[1].system"), "clusters[0].systems"),
    stated(f"{ROW}.letters", ["a", "a"]),
    stated(f"{ROW}.letters", ["a", "\u202eEVIL"]),
    stated(f"{ROW}.letters", ["z"]),
    stated(f"{ROW}.responsiveness", "very"),
    stated("clusters[0].clusters[0].letter", "b", "clusters[0].clusters"),
    stated("clusters[0].clusters[0].members", ["nobody"]),
    stated("clusters[0].absent", ["nobody"]),
    stated("clusters[0].ordered", [["a", "b"]]),
    stated("clusters[0].untested", [[NASTY_NAMES[0], NASTY_NAMES[1]]] * 9_999),
    stated("clusters[0].contrasts[0].difference.estimate", 3.0),
    stated("clusters[0].contrasts[0].difference.upper", 1.7e308),
    stated("clusters[0].contrasts[0].p_adjusted", 0.0),
    stated("clusters[0].contrasts[0].attainable_p", 1.5),
    stated("clusters[0].contrasts[0].distinguishable", "yes"),
    stated(
        "clusters[0].contrasts[0].distinguishable",
        lambda content: not content["clusters"][0]["contrasts"][0]["distinguishable"],
    ),
    stated("clusters[0].contrasts[0].first", "nobody"),
    stated("clusters[0].contrasts", of("clusters[0].contrasts[0]"), "clusters[0].contrasts"),
    stated("clusters[0].contrasts", lambda content: content["clusters"][0]["contrasts"][1:]),
    stated("clusters[0].selection.metric", "kl_forwards", "clusters[0].selection"),
    stated("clusters[1]", of("clusters[0]")),
    stated("clusters[0].cautions", [SENTENCE] * (MOST_SENTENCES + 1)),
    stated("clusters[0].cautions", [{**SENTENCE, "text": "x" * LONGEST_SENTENCE}] * 50),
    stated("clusters[0].cautions", [{**SENTENCE, "text": LONG}], "clusters[0].cautions[0].text"),
    stated("clusters[0].cautions", [{**SENTENCE, "kind": "praise"}], "clusters[0].cautions[0].kind"),
    stated("drift[0].reference", NASTY_NAMES[1]),
    stated("drift[0].constants.k_control", 0.9, "drift[0].constants"),
    stated(f"{AXES}", lambda content: content["drift"][0]["systems"][1:]),
    stated(f"{AXES}[1].is_reference", True),
    stated(f"{AXES}[1].verdict", None),
    stated(f"{AXES}[1].verdict.label", "BEST"),
    stated(f"{AXES}[1].verdict.label", "STABLE"),
    stated(f"{AXES}[1].verdict.response", "dead"),
    stated(f"{AXES}[1].verdict.drift", "collapsed"),
    stated(f"{AXES}[1].answers", [25, 24]),
    stated(f"{AXES}[1].verdict.system", NASTY_NAMES[0], f"{AXES}[1].verdict"),
    stated(
        f"{AXES}[1].verdict.contrasts[1]",
        of(f"{AXES}[1].verdict.contrasts[0]"),
        f"{AXES}[1].verdict.contrasts",
    ),
    stated("drift[0].probe[0].name", "best", "drift[0].probe"),
    stated(f"{AXES}[1].drift.n_zero", 999),
    stated(f"{AXES}[1].drift.mean.upper", 1.7e308),
    stated(f"{AXES}[0].preserving.mean.upper", None),
    stated(f"{AXES}[0].control.mean.n", 0, f"{AXES}[0].control.mean.estimate"),
    stated(f"{AXES}[1].silent_share", 1.5),
    stated("drift[0].probe[0].bounds.upper", None),
    stated("drift[0].probe[0].sign", "good"),
    stated("heatmaps[0].metric", "kl_forwards"),
    stated("heatmaps[0].filter_name", "x"),
    stated("heatmaps[0].cells", lambda content: content["heatmaps"][0]["cells"][1:]),
    stated("heatmaps[0].edits[0]", ["noop", "e" * (LONGEST_ID + 1)], "heatmaps[0].edits"),
    stated(f"{CELL}.rung", "x"),
    stated(f"{CELL}.mean.lower", None),
    stated(
        f"{CELL}.counts",
        dict.fromkeys(
            ("n_prompts", "n_prompts_lost", "n_pairs", "n_erased", "n_unscored", "n_not_shared"), 0
        ),
        f"{CELL}.mean.estimate",
    ),
    stated(f"{POINT}.mean.upper", None),
    stated(f"{POINT}.mean.upper", 1.7e308),
    stated(f"{POINT}.counts.n_prompts", 0, f"{POINT}.mean.estimate"),
    stated(f"{POINT}.selection.metric", "cosine_distance_0", f"{POINT}.selection"),
    stated("windows[0].points[1]", of(POINT), "windows[0].points"),
    stated("windows[0].points", []),
    stated("windows[0].points[0].selection.metric", "token_edit_distance", "windows[0].points"),
    stated("windows[0].systems", ["nobody"]),
    stated("windows[1]", of("windows[0]")),
    stated("heatmaps[1]", of("heatmaps[0]")),
    stated("drift[1]", of("drift[0]")),
    stated(f"{ROW}.mean.estimate", NAN),
    stated(f"{ROW}.mean.upper", INFINITE),
    Case("letters bomb", all_in(MOST_CLUSTERS + 1), STATEMENTS, f"`{ROW}.letters`"),
    Case("clusters inside one another", all_in(2), STATEMENTS, "`clusters[0].clusters`"),
]
AS_INTEGERS = with_column("cosine_distance", lambda t: pc.cast(t["rung_index"], pa.int32()))
AS_LISTS = with_column("edit", lambda t: pa.array([["a"]] * t.num_rows))
DELTA = {"use_dictionary": False, "column_encoding": {"detail": "DELTA_BYTE_ARRAY"}, "row_group_size": 16}
OF_TABLES = [
    rewritten("no column", OF_PAIRS, "no column `edit`: another version", lambda t: t.drop_columns(["edit"])),
    rewritten("more columns", OF_PAIRS, r"'x\x1b'", lambda t: t.append_column("x\x1b", t["edit"])),
    rewritten("integers", OF_PAIRS, "`cosine_distance` is of type int32", AS_INTEGERS),
    rewritten("lists", OF_PAIRS, "`edit` is of type list", AS_LISTS),
    rewritten("other codec", OF_PAIRS, "compressed with 'ZSTD'", same, compression="zstd"),
    rewritten("other encoding", OF_DETAILS, "`detail` is encoded as", same, **DELTA),
    rewritten("row groups", OF_PAIRS, "row groups", same, row_group_size=7),
    rewritten("one large group", OF_DETAILS, "row groups", same, row_group_size=1_000),
    rewritten("row twice", OF_PAIRS, "twice", doubled),
    rewritten("one filter", OF_PAIRS, "`filter`", one_filter),
    rewritten("pair twice", LADDER, "`pair_id`", doubled),
    rewritten("lost pair", LADDER, "rows", without_last),
    rewritten("long id", LADDER, "`pair_id`", long_id),
    rewritten("details out of order", OF_DETAILS, "`pair_id`", reversed_rows),
    rewritten("details twice", OF_DETAILS, "`pair_id`", doubled),
    rewritten("lost details", OF_DETAILS, "other pairs", without_last),
    cell(OF_PAIRS, "missing_margin_min", "x" * 10_000_000),
    cell(OF_PAIRS, "missing_margin_min", "x" * 2_001),
    cell(OF_PAIRS, "cosine_distance", 5.0, 3),
    cell(OF_PAIRS, "cosine_distance", NAN, 3),
    cell(OF_PAIRS, "pair_id", "../../x"),
    cell(OF_PAIRS, "rung", "noop"),
    cell(OF_PAIRS, "rung", "x"),
    cell(OF_PAIRS, "audit_status", None),
    Case(
        "other ladder",
        in_json(MANIFEST, **{"signature.ladder_hash": "0" * 64}),
        pairs_name(0),
        "`ladder_hash`",
    ),
    Case("other system", swapped_systems, OF_PAIRS, "`system`"),
    cell(LADDER, "variant", "x", -1, "`replacements`"),
    cell(LADDER, "replacements", [{"start": 0, "end": 2**30, "replacement": "x"}], -1, "`replacements`"),
    cell(LADDER, "reason", "another", -1, "`row_hash`"),
    cell(OF_DETAILS, "detail", None),
    cell(OF_DETAILS, "detail", " " * (LONGEST_DETAIL + 1)),
    cell(OF_DETAILS, "detail", "[" * 99_999, says="as JSON"),
    detail("base.text", "x" * 100_001),
    detail("base.token_ends", [1, 99]),
    detail("base.token_ends", [3, 1]),
    detail("base.token_ends", [-3, 1], "base.token_ends[0]"),
    detail("curves.raw", "abc"),
    detail("curves.raw", [0] * 10_000),
    detail("curves.raw", [-1], "curves.raw[0]"),
    detail("curves", {"raw": []}),
    detail("base.margins", [NAN], "base.margins[0]"),
    detail("base.margins", [-1], "base.margins[0]"),
    detail("base.answer_end", None),
    detail("variant.status", "fine"),
    detail("variant.scaffold", "x" * 2_001),
    detail("variant.unheard_of", 1),
]


@pytest.mark.parametrize(
    "case", [*OF_THE_MANIFEST, *OF_FILES, *OF_STATEMENTS, *OF_TABLES], ids=lambda case: case.name
)
def test_a_damaged_folder_is_refused(case: Case, copied: Path) -> None:
    case.damage(copied)
    with pytest.raises(InputError) as raised:
        read_everything(copied)
    message = str(raised.value)
    assert str(copied / case.file) in message
    assert case.says in message
    assert message.isprintable() and len(message) < 2_500


def test_every_accepted_id_fits_into_an_address() -> None:
    assert LONGEST_ID <= LONGEST_VALUE


@pytest.mark.parametrize("row", [1, -1])
def test_every_row_of_details_is_read(row: int, copied: Path) -> None:
    """A page reads a row when it is asked for; what is exported or published was read before."""
    changed(OF_DETAILS, in_detail("base.token_ends", [5, 1], row))(copied)
    read_results(copied).check(0)
    with pytest.raises(InputError, match=r"`base\.token_ends`"):
        read_everything(copied)


def test_the_copies_are_valid(copied: Path) -> None:
    in_json(STATEMENTS)(copied)
    changed(OF_PAIRS, same)(copied)
    changed(OF_DETAILS, same)(copied)
    changed(LADDER, same)(copied)
    in_json(MANIFEST, reference=0)(copied)
    read_everything(copied)


def test_declared_sizes_are_checked_before_a_column_is_read(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a column was read")

    results = read_results(copied)
    monkeypatch.setattr(tables, "read_table", never)
    monkeypatch.setattr(tables, "MAX_GROUP_BYTES", 10)
    with pytest.raises(InputError, match=r"declares .* at most 10"):
        results.pairs(0)


def test_more_rows_than_a_table_may_have(copied: Path) -> None:
    """The manifest and the file agree, and are too long together."""
    from dataclasses import replace

    n_rows = pq.read_metadata(copied / OF_PAIRS).num_rows
    with (copied / OF_PAIRS).open("rb") as stream, pytest.raises(InputError, match="accepted are at most 3"):
        tables.open_parquet(stream, replace(PAIRS, max_rows=3), n_rows, OF_PAIRS)


def test_control_characters_are_legal_in_names_and_inert_in_messages(copied: Path) -> None:
    nasty = "zz\x1b[31m\u202e<script>"
    text = (copied / STATEMENTS).read_text(encoding="utf-8")
    (copied / STATEMENTS).write_text(text.replace('"plain"', json.dumps(nasty)), encoding="utf-8")
    declare(copied, STATEMENTS)
    own = json.loads((copied / MANIFEST).read_text())["signature"]["systems"]
    named_so = {nasty if name == "plain" else name: each for name, each in own.items()}
    in_json(MANIFEST, **{"systems[3].name": nasty, "signature.systems": named_so})(copied)
    results = read_results(copied)
    assert results.systems[3].name == nasty
    with pytest.raises(InputError) as raised:
        results.pairs(3)
    assert "\\x1b[31m" in str(raised.value) and str(raised.value).isprintable()


def test_unknown_questions_are_refused_in_a_sentence(exported: Path) -> None:
    results = open_results(exported)
    for ask in (
        lambda: results.pairs(-1),
        lambda: results.pairs(99),
        lambda: results.detail(0, "\x1b"),
    ):
        with pytest.raises(InputError) as raised:
            ask()
        assert str(raised.value).isprintable()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, says in ((tmp_path / "file", "is not a folder"), (tmp_path / "no", "does not exist")):
        with pytest.raises(InputError, match=says):
            open_results(path)
