"""Results folders of strangers: whatever is in them, one sentence names file and field."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import open_results, tables
from lm_eval_sensitivity.results.read import check_results
from lm_eval_sensitivity.results.schema import (
    DETAIL_ROWS,
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_SENTENCE,
    MAX_MANIFEST_BYTES,
    MOST_CLUSTERS,
    MOST_SENTENCES,
    SUMMARIES,
    TableSpec,
    details_name,
    pairs_name,
    table_specs,
)
from lm_eval_sensitivity.results.tables import write_parquet
from lm_eval_sensitivity.space.query import LONGEST_VALUE
from lm_eval_sensitivity.stats.clusters import cluster_letters
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from tests.unit.results.made_results import NASTY_NAMES, declare, edit_manifest

PAIRS, DETAILS = pairs_name(1), details_name(1)
SPECS = table_specs(len(NASTY_NAMES))
Damage = Callable[[Path], object]


def read_everything(folder: Path) -> None:
    """What a reader could ask for; at least one pair of every row group."""
    results = open_results(folder)
    for system in results.systems:
        for pair_id in sorted(set(results.pairs(system.index)["pair_id"].to_pylist()))[::DETAIL_ROWS]:
            results.detail(system.index, pair_id)


def changed(name: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> Damage:
    """Rewrite a table; the manifest agrees with it."""

    def damage(folder: Path) -> None:
        table = change(pq.read_table(folder / name))
        if options:
            pq.write_table(table, folder / name, **{"compression": "snappy", **options})
        else:
            write_parquet(table, folder / name, SPECS[name])
        declare(folder, name, rows=table.num_rows)

    return damage


def with_cell(column: str, value: Any, row: int = 0) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        at = table.schema.get_field_index(column)
        return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    return change


def with_cells(row: int = 0, **values: Any) -> Callable[[pa.Table], pa.Table]:
    """Several cells of one row."""

    def change(table: pa.Table) -> pa.Table:
        for column, value in values.items():
            table = with_cell(column, value, row)(table)
        return table

    return change


def with_column(column: str, values: Callable[[pa.Table], Any]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(column), column, values(table))


def in_manifest(*path: str | int, value: Any) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / "manifest.json").read_text())
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        (folder / "manifest.json").write_text(json.dumps(content))

    return damage


def of_bytes(name: str, change: Callable[[bytes], bytes], *, declared: bool = True) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        if declared:
            declare(folder, name)

    return damage


def named(*names: str) -> Damage:
    """Other names of the systems, in the manifest."""

    def damage(folder: Path) -> None:
        for at, name in enumerate(names):
            in_manifest("systems", at, "name", value=name)(folder)

    return damage


def long_id(folder: Path) -> None:
    """A pair with an id that no address can hold, in all files."""
    new, old = "p" * (LONGEST_ID + 1), pq.read_table(folder / "ladder.parquet")["pair_id"].to_pylist()[-1]

    def rename(table: pa.Table) -> pa.Table:
        ids = [new if each == old else each for each in table["pair_id"].to_pylist()]
        table = table.set_column(table.schema.get_field_index("pair_id"), "pair_id", pa.array(ids))
        return table.sort_by("pair_id") if "base_text" in table.column_names else table

    for name in ("ladder.parquet", *(each for each in SPECS if "/" in each)):
        changed(name, rename)(folder)


def linked(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return damage


def a_pipe(folder: Path) -> None:
    (folder / "heatmap.parquet").unlink()
    os.mkfifo(folder / "heatmap.parquet")


def not_a_file(folder: Path) -> None:
    (folder / PAIRS).unlink()
    (folder / PAIRS).mkdir()


def without_file(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())["files"]
    edit_manifest(folder, files={name: each for name, each in content.items() if name != "axes.parquet"})


def with_foreign_file(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())["files"]
    edit_manifest(folder, files={**content, "../../x\x1b[31m": content["axes.parquet"]})


def swapped_systems(folder: Path) -> None:
    (folder / PAIRS).write_bytes((folder / pairs_name(2)).read_bytes())
    declare(folder, PAIRS)


def letters_of(n: int) -> Callable[[pa.Table], Any]:
    """Every system in every one of n clusters."""
    letters = json.dumps(list(islice(cluster_letters(), n)))
    return lambda table: pa.array([letters] * table.num_rows)


def repeated_text(table: pa.Table) -> pa.Table:
    """A text of 900 kB in every one of many rows: small as a dictionary, gigabytes when written out."""
    table = pa.concat_tables([table] * 20)
    indices = pa.array(np.zeros(table.num_rows, np.int32))
    return with_column("letters", lambda _: pa.DictionaryArray.from_arrays(indices, ["a" * 900_000]))(table)


def stray(table: pa.Table) -> pa.Table:
    """One more row, of a selection without a page."""
    return pa.concat_tables([table, with_cell("metric", "kl_forward")(table.slice(0, 1))])


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def without_last(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows - 1)


def reversed_rows(table: pa.Table) -> pa.Table:
    return table.take(pa.array(range(table.num_rows - 1, -1, -1)))


def one_filter(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["filter"], "raw"))


def packed(values: list[float]) -> bytes:
    return np.asarray(values, "<f4").tobytes()


@dataclass(frozen=True)
class Case:
    name: str
    damage: Damage
    file: str
    says: str
    """A part of the message: the field, or what is wrong with the file."""


CLUSTERS, AXES, HEATMAP = "clusters.parquet", "axes.parquet", "heatmap.parquet"
ALL_ERASED = with_cells(n_scored=0, n_erased=9, n_unscored=0, n_given=9, mean=0.0, lower=None, upper=None)
CASES = [
    Case("no manifest", lambda folder: (folder / "manifest.json").unlink(), "manifest.json", "is missing"),
    Case("no JSON", of_bytes("manifest.json", lambda _: b"{", declared=False), "manifest.json", "as JSON"),
    Case("a list", of_bytes("manifest.json", lambda _: b"[]", declared=False), "manifest.json", "an object"),
    Case(
        "deep JSON",
        of_bytes("manifest.json", lambda _: b"[" * 200_000, declared=False),
        "manifest.json",
        "nested too deeply",
    ),
    Case(
        "large manifest",
        of_bytes("manifest.json", lambda data: data + b" " * MAX_MANIFEST_BYTES, declared=False),
        "manifest.json",
        "bytes; at most",
    ),
    Case("other kind", in_manifest("kind", value="a tokenizer"), "manifest.json", "`kind`"),
    Case(
        "name of 201",
        in_manifest("systems", 3, "name", value="x" * (LONGEST_NAME + 1)),
        "manifest.json",
        "`systems[3].name`",
    ),
    Case(
        "series of 201",
        in_manifest("series", 0, "name", value="x" * (LONGEST_NAME + 1)),
        "manifest.json",
        "`series[0].name`",
    ),
    Case(
        "fact of 201",
        in_manifest("systems", 0, "facts", value=[["Model", "x" * (LONGEST_NAME + 1)]]),
        "manifest.json",
        "`systems[0].facts[0][1]`",
    ),
    Case(
        "long remark",
        in_manifest("remarks", value=["x" * (LONGEST_SENTENCE + 1)]),
        "manifest.json",
        "`remarks[0]`",
    ),
    Case(
        "many remarks",
        in_manifest("remarks", value=["x"] * (MOST_SENTENCES + 1)),
        "manifest.json",
        "`remarks`",
    ),
    Case(
        "remarks that are long together",
        in_manifest("remarks", value=["x" * LONGEST_SENTENCE] * (MOST_SENTENCES // 2)),
        "manifest.json",
        "`remarks`",
    ),
    Case(
        "long reason",
        in_manifest("left_out", value=[{"what": "x", "reason": "x" * (LONGEST_SENTENCE + 1)}]),
        "manifest.json",
        "`left_out[0].reason`",
    ),
    Case(
        "reasons that are long together",
        in_manifest(
            "selections_left_out",
            value=[{"what": "x", "reason": "x" * LONGEST_SENTENCE}] * (MOST_SENTENCES // 2),
        ),
        "manifest.json",
        "`selections_left_out`",
    ),
    Case(
        "long signature",
        in_manifest("signature", value="x" * (LONGEST_SENTENCE + 1)),
        "manifest.json",
        "`signature`",
    ),
    Case(
        "many resamples",
        in_manifest("statistics", "resamples", value=MOST_RESAMPLES + 1),
        "manifest.json",
        "`statistics.resamples`",
    ),
    Case(
        "few resamples",
        in_manifest("statistics", "resamples", value=FEWEST_RESAMPLES - 1),
        "manifest.json",
        "`statistics.resamples`",
    ),
    Case(
        "many draws",
        in_manifest("statistics", "draws", value=MOST_RESAMPLES + 1),
        "manifest.json",
        "`statistics.draws`",
    ),
    Case(
        "a version that ends a BibTeX entry",
        in_manifest("package_version", value="1}}, author={{Evil"),
        "manifest.json",
        "`package_version`",
    ),
    Case("code-point order", named("Llama", "Qwen", "gemma", "mistral"), "manifest.json", "`systems`"),
    Case("newer format", in_manifest("format_version", value=2), "manifest.json", "`format_version` is 2"),
    Case(
        "alpha NaN",
        in_manifest("statistics", "alpha", value=float("nan")),
        "manifest.json",
        "`statistics.alpha`",
    ),
    Case("infinite", in_manifest("statistics", "alpha", value=float("inf")), "manifest.json", "Infinity"),
    Case("a flag", in_manifest("decoding", "greedy", value=1), "manifest.json", "`decoding.greedy`"),
    Case("no system", in_manifest("systems", value=[]), "manifest.json", "`systems`"),
    Case("same name", in_manifest("systems", 1, "name", value=NASTY_NAMES[0]), "manifest.json", "`systems`"),
    Case(
        "long name",
        in_manifest("systems", 0, "name", value="x" * 10_000),
        "manifest.json",
        "`systems[0].name`",
    ),
    Case(
        "surrogate", in_manifest("systems", 0, "name", value="\ud800"), "manifest.json", "`systems[0].name`"
    ),
    Case("wrong index", in_manifest("systems", 1, "index", value=0), "manifest.json", "`systems[1].index`"),
    Case(
        "fingerprint", in_manifest("systems", 0, "fingerprint", value="../x"), "manifest.json", "fingerprint`"
    ),
    Case(
        "facts", in_manifest("systems", 0, "facts", value=[["a"]]), "manifest.json", "`systems[0].facts[0]`"
    ),
    Case("reference", in_manifest("reference", value=7), "manifest.json", "`reference`"),
    Case("other reference", in_manifest("reference", value=1), "manifest.json", "`reference`"),
    Case(
        "series of nobody",
        in_manifest("series", 0, "systems", value=[1, 9]),
        "manifest.json",
        "`series[0].systems",
    ),
    Case("unnamed series", in_manifest("systems", 3, "series", value="s"), "manifest.json", "`series`"),
    Case("too many rows", in_manifest("files", CLUSTERS, "rows", value=10**9), "manifest.json", "rows`"),
    Case("many bytes", in_manifest("files", CLUSTERS, "bytes", value=2**30), "manifest.json", "bytes`"),
    Case("file of nobody", with_foreign_file, "manifest.json", "`files` has '../../x\\x1b[31m'"),
    Case("file not named", without_file, "manifest.json", "`files.axes.parquet` is missing"),
    Case("file name", in_manifest("files", CLUSTERS, "name", value="../x"), "manifest.json", "name`"),
    Case("other sha256", in_manifest("files", CLUSTERS, "sha256", value="0" * 64), CLUSTERS, "sha256"),
    Case(
        "one byte",
        of_bytes(CLUSTERS, lambda data: data[:40] + b"?" + data[41:], declared=False),
        CLUSTERS,
        "sha256",
    ),
    Case("other size", of_bytes(CLUSTERS, lambda data: data + b"?", declared=False), CLUSTERS, "bytes"),
    Case("other rows", in_manifest("files", CLUSTERS, "rows", value=3), CLUSTERS, "rows"),
    Case("missing table", lambda folder: (folder / CLUSTERS).unlink(), CLUSTERS, "is missing"),
    Case("a link", linked("windows.parquet"), "windows.parquet", "symbolic link"),
    Case("a link to a folder", linked("pairs"), "pairs", "symbolic link"),
    Case("a pipe", a_pipe, "heatmap.parquet", "regular file"),
    Case("a folder", not_a_file, PAIRS, "directory"),
    Case("truncated", of_bytes(CLUSTERS, lambda data: data[: len(data) // 2]), CLUSTERS, "PAR1"),
    Case("a pickle", of_bytes(CLUSTERS, lambda _: pickle.dumps([1])), CLUSTERS, "is no parquet file"),
    Case(
        "damaged page",
        of_bytes(CLUSTERS, lambda data: data[:30] + b"?????" + data[35:]),
        CLUSTERS,
        "is damaged",
    ),
    Case(
        "huge footer",
        of_bytes(CLUSTERS, lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1"),
        CLUSTERS,
        "footer",
    ),
    Case(
        "broken footer",
        of_bytes(CLUSTERS, lambda data: data[:-300] + b"\xff" * 100 + data[-200:]),
        CLUSTERS,
        "is no parquet file",
    ),
    Case(
        "other codec", changed(CLUSTERS, lambda t: t, compression="zstd"), CLUSTERS, "compressed with 'ZSTD'"
    ),
    Case(
        "other encoding",
        changed(
            "ladder.parquet", lambda t: t, use_dictionary=False, column_encoding={"base": "DELTA_BYTE_ARRAY"}
        ),
        "ladder.parquet",
        "`base` is encoded as",
    ),
    Case("row groups", changed(CLUSTERS, lambda t: t, row_group_size=7), CLUSTERS, "row groups"),
    Case("bomb", changed(CLUSTERS, repeated_text, store_schema=False), CLUSTERS, "holds texts of"),
    Case(
        "10 MB",
        changed("pages.parquet", with_cell("title", "x" * 10_000_000)),
        "pages.parquet",
        "`title` holds",
    ),
    Case(
        "long text",
        changed("pages.parquet", with_cell("title", "x" * (LONGEST_SENTENCE + 1))),
        "pages.parquet",
        "`title`, row 1",
    ),
    Case("no column", changed(CLUSTERS, lambda t: t.drop_columns(["mean"])), CLUSTERS, "no column `mean`"),
    Case(
        "more columns", changed(CLUSTERS, lambda t: t.append_column("x\x1b", t["mean"])), CLUSTERS, "'x\\x1b'"
    ),
    Case(
        "integers",
        changed(CLUSTERS, with_column("mean", lambda t: pc.cast(t["system"], pa.int32()))),
        CLUSTERS,
        "`mean` is of type int32",
    ),
    Case(
        "lists",
        changed(CLUSTERS, with_column("letters", lambda t: pa.array([["a"]] * t.num_rows))),
        CLUSTERS,
        "`letters` is of type list",
    ),
    Case("NaN", changed(CLUSTERS, with_cell("mean", float("nan"), 2)), CLUSTERS, "`mean`, row 3 is nan"),
    Case("infinity", changed(CLUSTERS, with_cell("upper", float("inf"))), CLUSTERS, "`upper`, row 1 is inf"),
    Case(
        "no method",
        changed(CLUSTERS, with_cell("interval_method", None)),
        CLUSTERS,
        "`interval_method`, row 1",
    ),
    Case("new method", changed(CLUSTERS, with_cell("interval_method", "\x1b[2J")), CLUSTERS, "'\\x1b[2J'"),
    Case("negative", changed(CLUSTERS, with_cell("n_pairs", -1)), CLUSTERS, "`n_pairs`, row 1 is -1"),
    Case("system 9", changed(CLUSTERS, with_cell("system", 9)), CLUSTERS, "`system`, row 1 is 9"),
    Case("system twice", changed(CLUSTERS, with_cell("system", 1)), CLUSTERS, "`system`"),
    Case(
        "letters twice", changed(CLUSTERS, with_cell("letters", '["a", "a"]')), CLUSTERS, "`letters`, row 1"
    ),
    Case(
        "no letter of ours",
        changed(CLUSTERS, with_cell("letters", '["a", "\u202eEVIL"]')),
        CLUSTERS,
        "`letters`, row 1",
    ),
    Case("a letter left out", changed(CLUSTERS, with_cell("letters", '["z"]')), CLUSTERS, "`letters`"),
    Case(
        "letters bomb",
        changed(CLUSTERS, with_column("letters", letters_of(MOST_CLUSTERS + 1))),
        CLUSTERS,
        "`letters`, row 1",
    ),
    Case(
        "clusters inside one another",
        changed(CLUSTERS, with_column("letters", letters_of(2))),
        CLUSTERS,
        "`letters`",
    ),
    Case("half an interval", changed(CLUSTERS, with_cell("upper", None)), CLUSTERS, "`upper`, row 1"),
    Case(
        "an interval of nothing",
        changed(CLUSTERS, with_cells(mean=None)),
        CLUSTERS,
        "`mean`, row 1",
    ),
    Case(
        "an interval turned round",
        changed(CLUSTERS, with_cells(lower=0.9, upper=0.1)),
        CLUSTERS,
        "`upper`, row 1",
    ),
    Case("mean of -5", changed(CLUSTERS, with_cell("mean", -5.0)), CLUSTERS, "`mean`, row 1 is -5.0"),
    Case("mean of 1e308", changed(HEATMAP, with_cell("mean", 1.7e308)), HEATMAP, "`mean`, row 1"),
    Case("bound of 1e308", changed(CLUSTERS, with_cell("upper", 1.7e308)), CLUSTERS, "`upper`, row 1"),
    Case("bound of -1e308", changed(CLUSTERS, with_cell("lower", -1.7e308)), CLUSTERS, "`lower`, row 1"),
    Case("noise of 3", changed(CLUSTERS, with_cell("noise_floor", 3.0)), CLUSTERS, "`noise_floor`, row 1"),
    Case(
        "a mean of nothing",
        changed(CLUSTERS, with_cells(n_pairs=0, n_prompts=0)),
        CLUSTERS,
        "`mean`, row 1",
    ),
    Case(
        "a noise floor of nothing",
        changed(CLUSTERS, with_cell("noise_prompts", 0)),
        CLUSTERS,
        "`noise_floor`, row 1",
    ),
    Case(
        "more prompts than pairs", changed(CLUSTERS, with_cell("n_prompts", 9_999)), CLUSTERS, "`n_prompts`"
    ),
    Case(
        "difference of 3",
        changed("contrasts.parquet", with_cell("difference", 3.0)),
        "contrasts.parquet",
        "`difference`, row 1",
    ),
    Case(
        "half a contrast",
        changed("contrasts.parquet", with_cells(difference=0.1, lower=None, upper=0.2)),
        "contrasts.parquet",
        "`lower`, row 1",
    ),
    Case(
        "no verdict in words",
        changed(AXES, with_cell("verdict_words", None, 1)),
        AXES,
        "`verdict_words`, row 2",
    ),
    Case("a second reference", changed(AXES, with_cell("verdict", "reference", 1)), AXES, "`verdict`, row 2"),
    Case("unheard-of label", changed(AXES, with_cell("possible", '["BEST"]', 1)), AXES, "`possible`, row 2"),
    Case("zeros of nobody", changed(AXES, with_cell("b_zeros", 999, 1)), AXES, "`b_zeros`, row 2"),
    Case("half an axis", changed(AXES, with_cell("p_upper", None)), AXES, "`p_upper`, row 1"),
    Case("an axis of nothing", changed(AXES, with_cell("c_n", 0)), AXES, "`c`, row 1"),
    Case("b of 1e308", changed(AXES, with_cell("b_upper", 1.7e308, 1)), AXES, "`b_upper`, row 2"),
    Case(
        "half a probe",
        changed("axes_contrasts.parquet", with_cell("upper", None)),
        "axes_contrasts.parquet",
        "`upper`, row 1",
    ),
    Case(
        "half a cell",
        changed(HEATMAP, with_cells(mean=0.1, lower=None, upper=0.2)),
        HEATMAP,
        "`lower`, row 1",
    ),
    Case(
        "half a window",
        changed("windows.parquet", with_cell("upper", None)),
        "windows.parquet",
        "`upper`, row 1",
    ),
    Case(
        "window of 1e308",
        changed("windows.parquet", with_cell("upper", 1.7e308)),
        "windows.parquet",
        "`upper`, row 1",
    ),
    Case("an erased cell at 0", changed(HEATMAP, ALL_ERASED), HEATMAP, "`mean`, row 1"),
    Case(
        "pairs that are lost", changed(HEATMAP, with_cell("n_given", 99)), HEATMAP, "`n_given`, row 1 is 99"
    ),
    Case(
        "an erased window at 0",
        changed("windows.parquet", with_cells(n_pairs=0, n_prompts=0)),
        "windows.parquet",
        "`mean`, row 1",
    ),
    Case("long id", long_id, "ladder.parquet", "`pair_id`"),
    Case("long edit", changed(HEATMAP, with_cell("edit", "e" * (LONGEST_ID + 1))), HEATMAP, "`edit`, row 1"),
    Case(
        "long caution",
        changed("pages.parquet", with_cell("cautions", json.dumps(["x" * (LONGEST_SENTENCE + 1)]))),
        "pages.parquet",
        "`cautions`, row 1",
    ),
    Case(
        "many cautions",
        changed("pages.parquet", with_cell("cautions", json.dumps(["x"] * (MOST_SENTENCES + 1)))),
        "pages.parquet",
        "`cautions`, row 1",
    ),
    Case("no list", changed(CLUSTERS, with_cell("letters", '{"a": 1}')), CLUSTERS, "`letters`, row 1"),
    Case("half a pair", changed(CLUSTERS, with_cell("letters", '["\\ud800"]')), CLUSTERS, "`letters`, row 1"),
    Case("stray rows", changed(CLUSTERS, stray), CLUSTERS, "kl_forward"),
    Case(
        "p of 0",
        changed("contrasts.parquet", with_cell("p_adjusted", 0.0)),
        "contrasts.parquet",
        "`p_adjusted`",
    ),
    Case("lost contrast", changed("contrasts.parquet", without_last), "contrasts.parquet", "`second`"),
    Case(
        "finding",
        changed("contrasts.parquet", with_cell("finding", "best")),
        "contrasts.parquet",
        "`finding`",
    ),
    Case("page twice", changed("pages.parquet", doubled), "pages.parquet", "twice"),
    Case("lost axes", changed("axes.parquet", without_last), "axes.parquet", "`system`"),
    Case(
        "other verdict",
        changed("axes.parquet", with_cell("verdict", "BEST")),
        "axes.parquet",
        "`verdict`, row 1",
    ),
    Case(
        "two references",
        changed("axes.parquet", with_cell("is_reference", True, 1)),
        "axes.parquet",
        "`is_reference`",
    ),
    Case("lost cell", changed("heatmap.parquet", without_last), "heatmap.parquet", "`edit`"),
    Case(
        "window 0", changed("windows.parquet", with_cell("window", 0)), "windows.parquet", "`window`, row 1"
    ),
    Case("window twice", changed("windows.parquet", doubled), "windows.parquet", "`window`"),
    Case("pair twice", changed("ladder.parquet", doubled), "ladder.parquet", "`pair_id`"),
    Case("lost pair", changed("ladder.parquet", without_last), "ladder.parquet", "rows"),
    Case(
        "other variant",
        changed("ladder.parquet", with_cell("variant", "x", -1)),
        "ladder.parquet",
        "`replacements`",
    ),
    Case(
        "offsets",
        changed("ladder.parquet", with_cell("replacements", "[[0, 1e9, 1]]", -1)),
        "ladder.parquet",
        "`replacements`",
    ),
    Case("other ladder", in_manifest("ladder", "hash", value="0" * 64), pairs_name(0), "`ladder_hash`"),
    Case("other system", swapped_systems, PAIRS, "`system`"),
    Case(
        "distance 5",
        changed(PAIRS, with_cell("cosine_distance", 5.0, 3)),
        PAIRS,
        "`cosine_distance`, row 4 is 5.0",
    ),
    Case(
        "distance NaN",
        changed(PAIRS, with_cell("cosine_distance", float("nan"), 3)),
        PAIRS,
        "`cosine_distance`, row 4",
    ),
    Case(
        "unknown pair",
        changed(PAIRS, with_cell("pair_id", "../../x")),
        PAIRS,
        "`pair_id`, row 1 is '../../x'",
    ),
    Case("other rung", changed(PAIRS, with_cell("rung", "noop")), PAIRS, "`rung`, row 1"),
    Case("new rung", changed(PAIRS, with_cell("rung", "x")), PAIRS, "`rung`, row 1"),
    Case("row twice", changed(PAIRS, doubled), PAIRS, "twice"),
    Case("one filter", changed(PAIRS, one_filter), PAIRS, "`filter`"),
    Case("details out of order", changed(DETAILS, reversed_rows), DETAILS, "`pair_id`"),
    Case("one large group", changed(DETAILS, lambda t: t, row_group_size=1_000), DETAILS, "row groups"),
    Case("details twice", changed(DETAILS, doubled), DETAILS, "`pair_id`"),
    Case("lost details", changed(DETAILS, without_last), DETAILS, "other pairs"),
    Case(
        "long output", changed(DETAILS, with_cell("base_text", "x" * 100_001)), DETAILS, "`base_text`, row 1"
    ),
    Case(
        "ends beyond",
        changed(DETAILS, with_cell("base_token_ends", np.asarray([1, 99], "<i4").tobytes())),
        DETAILS,
        "`base_token_ends`",
    ),
    Case(
        "ends fall",
        changed(DETAILS, with_cell("base_token_ends", np.asarray([3, 1], "<i4").tobytes())),
        DETAILS,
        "`base_token_ends`",
    ),
    Case(
        "half a value",
        changed(DETAILS, with_cell("raw_curve", b"abc")),
        DETAILS,
        "`raw_curve`, row 1 is 3 bytes",
    ),
    Case(
        "long array", changed(DETAILS, with_cell("raw_curve", b"\0" * 40_000)), DETAILS, "`raw_curve`, row 1"
    ),
    Case("negative curve", changed(DETAILS, with_cell("raw_curve", b"\xff" * 4)), DETAILS, "`raw_curve`"),
    Case(
        "NaN margin",
        changed(DETAILS, with_cell("base_margins", packed([float("nan")]))),
        DETAILS,
        "`base_margins`",
    ),
    Case(
        "negative margin",
        changed(DETAILS, with_cell("base_margins", packed([-1]))),
        DETAILS,
        "`base_margins`",
    ),
    Case("span", changed(DETAILS, with_cell("base_answer_end", None)), DETAILS, "`base_answer_end`"),
    Case("status", changed(DETAILS, with_cell("variant_status", "fine")), DETAILS, "`variant_status`, row 1"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
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
def test_check_results_reads_every_row_of_details(row: int, copied: Path) -> None:
    """A page reads a row when it is asked for; what is exported or published was read before."""
    ends = np.asarray([5, 1], "<i4").tobytes()
    changed(DETAILS, with_cell("base_token_ends", ends, row))(copied)
    open_results(copied).check(0)
    with pytest.raises(InputError, match="`base_token_ends`"):
        check_results(copied)


def test_the_copies_are_valid(copied: Path) -> None:
    read_everything(copied)
    changed(CLUSTERS, lambda table: table)(copied)
    changed(DETAILS, lambda table: table)(copied)
    in_manifest("reference", value=0)(copied)
    read_everything(copied)


def test_declared_sizes_are_checked_before_a_column_is_read(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a column was read")

    monkeypatch.setattr(tables, "read_table", never)
    for limit, says in (("MAX_EXPANDED_BYTES", "declares"), ("MAX_COLUMN_CHUNK_BYTES", "bytes; at most 10")):
        with monkeypatch.context() as patch:
            patch.setattr(tables, limit, 10)
            with pytest.raises(InputError, match=says):
                open_results(copied)


def test_more_rows_than_a_table_may_have(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest and the file agree, and are too long together."""
    spec = SUMMARIES[CLUSTERS]
    small = TableSpec(spec.columns, max_rows=3)
    n_rows = pq.read_metadata(copied / CLUSTERS).num_rows
    stream = BytesIO((copied / CLUSTERS).read_bytes())
    with pytest.raises(InputError, match="accepted are at most 3"):
        tables.open_parquet(stream, small, n_rows, CLUSTERS)


def test_control_characters_are_legal_in_texts_and_inert_in_messages(copied: Path) -> None:
    nasty = "zz\x1b[31m\u202e<script>"
    in_manifest("systems", 3, "name", value=nasty)(copied)
    results = open_results(copied)
    assert results.systems[3].name == nasty
    with pytest.raises(InputError) as raised:
        results.pairs(3)
    assert "\\x1b[31m" in str(raised.value) and str(raised.value).isprintable()


def test_unknown_questions_are_refused_in_a_sentence(exported: Path) -> None:
    results = open_results(exported)
    key = results.selections()[0]
    for ask in (
        lambda: results.clusters(type(key)("\x1b", "raw", "noop")),
        lambda: results.axes("js_divergence", "raw"),
        lambda: results.heatmap("x", "raw"),
        lambda: results.windows("noop"),
        lambda: results.pairs(-1),
        lambda: results.pairs(99),
        lambda: results.ladder_pair("../../x"),
        lambda: results.detail(0, "\x1b"),
        lambda: results.pairs_of_cell(0, "x", "system", "raw"),
        lambda: results.pairs_of_cell(0, "x", "cosine_distance", "\x1b"),
    ):
        with pytest.raises(InputError) as raised:
            ask()
        assert str(raised.value).isprintable()
    assert results.pairs_of_cell(0, "no such edit", "cosine_distance", "raw") == ()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, says in ((tmp_path / "file", "is not a folder"), (tmp_path / "no", "does not exist")):
        with pytest.raises(InputError, match=says):
            open_results(path)
