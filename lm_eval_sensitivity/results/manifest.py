"""manifest.json: what a results folder holds, written and read back as a stranger's file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lm_eval_sensitivity.records.fields import Field
from lm_eval_sensitivity.results.files import ADVICE, read_file, refuse
from lm_eval_sensitivity.results.lengths import SENTENCES, fit_together
from lm_eval_sensitivity.results.records import (
    DecodingRecord,
    EmbedderRecord,
    FileRecord,
    LadderRecord,
    LeftOutRecord,
    Manifest,
    SeriesRecord,
    StatisticsRecord,
    SystemRecord,
)
from lm_eval_sensitivity.results.schema import (
    FORMAT_VERSION,
    LONGEST_NAME,
    LONGEST_SENTENCE,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_SYSTEMS,
    MOST_SENTENCES,
    table_specs,
)
from lm_eval_sensitivity.results.systems import alphabetical
from lm_eval_sensitivity.runs.find import parse_json
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES
from lm_eval_sensitivity.text.escape import one_line, shown_path

KIND = "lm_eval_sensitivity results"
"""What the first field of the manifest says, so that no other JSON file is taken for one."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!_-]{0,59}")
_MOST_FACTS = 50
_MOST_STOPS = 100


def manifest_json(manifest: Manifest) -> str:
    """The text of the file: no paths, no dates, so that equal runs give equal bytes."""
    content = {"kind": KIND, **asdict(manifest)}
    content["files"] = {name: asdict(each) for name, each in sorted(manifest.files.items())}
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        InputError: missing, damaged, of another format, or with a field that is not accepted.
    """
    place = shown_path(folder / MANIFEST)
    content = read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)
    try:
        value = parse_json(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)[:200]
        refuse(place, f"cannot be read as JSON: {problem}")
    whole = Field(value, place, advice=ADVICE)
    if whole["kind"].value != KIND:
        whole["kind"].refuse(repr(KIND))
    if whole["format_version"].integer() != FORMAT_VERSION:
        whole["format_version"].refuse(
            f"{FORMAT_VERSION}, which this version of lm-eval-sensitivity reads and writes"
        )
    return _manifest(whole)


def _manifest(whole: Field) -> Manifest:
    systems = tuple(_system(each, at) for at, each in enumerate(whole["systems"].list_up_to(MAX_SYSTEMS)))
    if not systems:
        whole["systems"].refuse("a list of one system or more")
    _check_order(whole["systems"], systems)
    series = tuple(_series(each, len(systems)) for each in whole["series"].list_up_to(MAX_SYSTEMS))
    reference = None if whole["reference"].is_null else _index(whole["reference"], len(systems))
    if [each.index for each in systems if each.is_reference] != ([] if reference is None else [reference]):
        whole["reference"].contradict("`systems` mark another one with `is_reference`")
    _check_series(whole, systems, series)
    return Manifest(
        format_version=FORMAT_VERSION,
        package_version=_matching(whole["package_version"], _VERSION, "a version, such as '1.0.0'"),
        ladder=_ladder(whole["ladder"]),
        embedder=_embedder(whole["embedder"]),
        decoding=_decoding(whole["decoding"]),
        statistics=_statistics(whole["statistics"]),
        reference=reference,
        systems=systems,
        series=series,
        remarks=_remarks(whole["remarks"]),
        left_out=_left_out(whole["left_out"]),
        selections_left_out=_left_out(whole["selections_left_out"]),
        signature=whole["signature"].text(LONGEST_SENTENCE),
        files=_files(whole["files"], len(systems)),
    )


def _system(field: Field, at: int) -> SystemRecord:
    if field["index"].integer() != at:
        field["index"].refuse(f"{at}, its place in the list")
    facts = []
    for each in field["facts"].list_up_to(_MOST_FACTS):
        label, value = each.list_of(2)
        facts.append((label.text(LONGEST_NAME), value.text(LONGEST_NAME)))
    return SystemRecord(
        index=at,
        name=field["name"].text(LONGEST_NAME),
        fingerprint=_matching(field["fingerprint"], _FINGERPRINT, "16 hexadecimal digits"),
        facts=tuple(facts),
        series=None if field["series"].is_null else field["series"].text(LONGEST_NAME),
        is_reference=field["is_reference"].flag(),
    )


def _check_order(field: Field, systems: tuple[SystemRecord, ...]) -> None:
    names = [each.name for each in systems]
    if names != sorted(set(names), key=alphabetical):
        refuse(
            f"{field.place}: `systems`",
            "hold a name twice, or are not in alphabetical order, capitals among small letters",
        )
    if len({each.fingerprint for each in systems}) != len(systems):
        refuse(f"{field.place}: `systems`", "hold a fingerprint twice")


def _series(field: Field, n_systems: int) -> SeriesRecord:
    systems = tuple(_index(each, n_systems) for each in field["systems"].list_up_to(n_systems))
    if len(systems) < 2 or len(set(systems)) != len(systems):
        field["systems"].refuse("two or more different systems")
    return SeriesRecord(field["name"].text(LONGEST_NAME), systems)


def _check_series(whole: Field, systems: tuple[SystemRecord, ...], series: tuple[SeriesRecord, ...]) -> None:
    """Each system is in the one series that it names."""
    places = [(index, each.name) for each in series for index in each.systems]
    if len({each.name for each in series}) != len(series):
        refuse(f"{whole.place}: `series`", "hold a name twice")
    if sorted(places) != [(each.index, each.series) for each in systems if each.series is not None]:
        refuse(f"{whole.place}: `series`", "are not those that `systems` name")


def _ladder(field: Field) -> LadderRecord:
    return LadderRecord(
        name=field["name"].text(),
        subset=field["subset"].text(),
        version=field["version"].text(),
        hash=_matching(field["hash"], _SHA256, "64 hexadecimal digits"),
        n_prompts=field["n_prompts"].integer(1),
        n_pairs=field["n_pairs"].integer(1),
    )


def _embedder(field: Field) -> EmbedderRecord:
    limit = field["max_tokens"]
    return EmbedderRecord(
        name=field["name"].text(),
        weights_sha256=field["weights_sha256"].text(),
        max_tokens=None if limit.is_null else limit.integer(1),
    )


def _decoding(field: Field) -> DecodingRecord:
    return DecodingRecord(
        max_gen_toks=field["max_gen_toks"].integer(1),
        until=tuple(_short_text(each) for each in field["until"].list_up_to(_MOST_STOPS)),
        greedy=field["greedy"].flag(),
    )


def _short_text(field: Field) -> str:
    """A stop string: white space alone is one, too."""
    text = field.any_text()
    return text if not text.strip() and len(text) < 100 else field.text()


def _statistics(field: Field) -> StatisticsRecord:
    seed = field["seed"].value
    if type(seed) is not int or not 0 <= seed <= 2**63:
        field["seed"].refuse("a whole number from 0")
    return StatisticsRecord(
        alpha=field["alpha"].number(0, 1),
        resamples=_number_of(field["resamples"]),
        draws=_number_of(field["draws"]),
        seed=seed,
    )


def _number_of(field: Field) -> int:
    """Of resamples or draws, within the bounds of the command line: a page computes with it."""
    if not FEWEST_RESAMPLES <= field.integer() <= MOST_RESAMPLES:
        field.refuse(f"a whole number from {FEWEST_RESAMPLES} to {MOST_RESAMPLES}")
    return field.integer()


def _remarks(field: Field) -> tuple[str, ...]:
    found = tuple(each.text(LONGEST_SENTENCE) for each in field.list_up_to(MOST_SENTENCES))
    if not fit_together([len(each) for each in found]):
        field.refuse(SENTENCES)
    return found


def _left_out(field: Field) -> tuple[LeftOutRecord, ...]:
    found = tuple(
        LeftOutRecord(each["what"].text(LONGEST_SENTENCE), each["reason"].text(LONGEST_SENTENCE))
        for each in field.list_up_to(MOST_SENTENCES)
    )
    if not fit_together([len(each.what) + len(each.reason) for each in found]):
        field.refuse(SENTENCES)
    return found


def _files(field: Field, n_systems: int) -> Mapping[str, FileRecord]:
    """Exactly the files that a folder of so many systems has: no name is taken from here."""
    given = dict(field.items())
    specs = table_specs(n_systems)
    for name in given:
        if name not in specs:
            refuse(f"{field.place}: `files`", f"has {name[:80]!r}, which is no file of a results folder")
    return {
        name: FileRecord(
            name=_same(field[name]["name"], name),
            sha256=_matching(field[name]["sha256"], _SHA256, "64 hexadecimal digits"),
            bytes=_at_most(field[name]["bytes"], spec.max_bytes),
            rows=_at_most(field[name]["rows"], spec.max_rows),
        )
        for name, spec in specs.items()
    }


def _same(field: Field, name: str) -> str:
    if field.value != name:
        field.refuse(repr(name))
    return name


def _at_most(field: Field, most: int) -> int:
    if field.integer() > most:
        field.refuse(f"a whole number of at most {most}")
    return field.integer()


def _index(field: Field, n_systems: int) -> int:
    if field.integer() >= n_systems:
        field.refuse(f"the index of a system, 0 to {n_systems - 1}")
    return field.integer()


def _matching(field: Field, pattern: re.Pattern[str], accepted: str) -> str:
    if not isinstance(field.value, str) or not pattern.fullmatch(field.value):
        field.refuse(accepted)
    return str(field.value)
