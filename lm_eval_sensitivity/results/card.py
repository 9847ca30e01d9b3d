"""The dataset card of published results: our words as Markdown, strangers' texts in blocks where nothing is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.hub.card import SPLIT, TAGS, fill, front_matter, size_category
from lm_eval_sensitivity.results.manifest import LADDER, STATEMENTS, Manifest, SystemRecord
from lm_eval_sensitivity.text.markdown import code, plain, table, visible

CARD_FILE = "README.md"
_TABLES = {"pairs": "pairs/*.parquet", "ladder": LADDER}
"""By name, the one that the Hub shows first before the others; details say nowhere whose they are, so they are none."""
_RECORDS = {
    "details": "Details are one row per pair: outputs, where the answer stands in them, margins and curves.",
    "answers": "Answers are one row per document of a task whose prompts were edited: what each prompt was answered.",
}
_TEMPLATE = Path(__file__).with_name("card_template.md")
_LONGEST = 300
"""Characters of a stranger's text on the card."""
_MOST_REMARKS = 20


def results_card(
    manifest: Manifest, repo_id: str, *, license_id: str | None = None, tag: str | None = None
) -> str:
    """The card of published results.

    System names and settings were written by strangers. They stand in fenced blocks only, each on one line and behind
    a label or an indentation, so that no Markdown reader finds markup, a link or the end of the block in them.

    Args:
        manifest: of the results.
        repo_id: `ORG/NAME`, checked.
        license_id: as the Hub calls it, checked; None says nothing about a licence.
        tag: that it is published under, checked.

    Returns:
        Markdown with YAML front matter: `README.md` of the dataset.
    """
    return fill(
        _TEMPLATE,
        front_matter=_front_matter(manifest, license_id),
        title=plain(repo_id),
        repo_id=repo_id,
        split=SPLIT,
        revision="" if tag is None else f', revision="{tag}"',
        download_revision="" if tag is None else f" --revision {tag}",
        n_systems="one system" if len(manifest.systems) == 1 else f"{len(manifest.systems)} systems",
        n_prompts=manifest.n_prompts,
        n_pairs=manifest.n_pairs,
        measured=_block(_measured(manifest)),
        systems=_block(line for system in manifest.systems for line in _system(system, manifest)),
        files=_files(manifest),
        records=" ".join(words for folder, words in _RECORDS.items() if _n_rows(manifest, folder)),
    )


def _front_matter(manifest: Manifest, license_id: str | None) -> str:
    """No text of a stranger is in it."""
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": [{"split": SPLIT, "path": path}]}
        for name, path in _TABLES.items()
    ]
    configs[0]["default"] = True
    return front_matter(
        license=license_id,
        pretty_name="Prompt sensitivity results",
        tags=TAGS,
        size_categories=[size_category(_n_rows(manifest, "pairs"))],
        configs=configs,
    )


def _measured(manifest: Manifest) -> list[tuple[str, str]]:
    signed, embedder, decoding = manifest.signature, manifest.signature.embedder, manifest.signature.decoding
    limit = "not recorded" if embedder["max_tokens"] is None else f"{embedder['max_tokens']} tokens"
    reference = "none" if manifest.reference is None else f"{manifest.reference:03d}"
    remarks = [("remark", each) for each in manifest.remarks[:_MOST_REMARKS]]
    if len(manifest.remarks) > _MOST_REMARKS:
        remarks.append(("remark", f"{len(manifest.remarks) - _MOST_REMARKS} more in manifest.json"))
    return [
        ("ladder", manifest.ladder),
        ("subset", signed.subset),
        ("version", signed.ladder_version),
        ("ladder hash", signed.ladder_hash),
        ("embedder", embedder["name"]),
        ("weights", embedder["weights_sha256"]),
        ("reads up to", limit),
        (
            "decoding",
            f"{'greedy' if decoding['greedy'] else 'sampled'}, up to {decoding['max_gen_toks']} tokens",
        ),
        ("reference", reference),
        ("left out", f"{len(manifest.left_out)} files, tasks or systems"),
        ("exported by", f"lm-eval-sensitivity {signed.package_version}"),
        ("signature", signed.in_words()),
        *remarks,
    ]


def _system(system: SystemRecord, manifest: Manifest) -> list[tuple[str, str]]:
    is_reference, own = system.index == manifest.reference, manifest.series_of.get(system.index)
    marks = [("    reference", "drift is measured from it")] if is_reference else []
    series = [] if own is None else [("    series", own)]
    facts = [(f"    {_cut(label)}", value) for label, value in system.facts]
    fingerprint = ("    fingerprint", system.fingerprint)
    return [(f"{system.index:03d}", system.name), *marks, *series, fingerprint, *facts]


def _block(lines: Iterable[tuple[str, str]]) -> str:
    """Lines of a fenced block: whatever a text holds, it stays on its line, and its line ends no block."""
    return "\n".join(f"{label}: {_cut(text)}" for label, text in lines)


def _cut(text: str) -> str:
    return visible(text if len(text) <= _LONGEST else text[:_LONGEST] + " [...]")


def _files(manifest: Manifest) -> str:
    rows: list[Sequence[object]] = [(code(LADDER), manifest.files[LADDER].rows)]
    counts = {folder: _n_rows(manifest, folder) for folder in ("pairs", *_RECORDS)}
    rows += [(code(f"{folder}/*.parquet"), n) for folder, n in counts.items() if n]
    rows.append((code(STATEMENTS), manifest.files[STATEMENTS].rows))
    return table(["file", "rows"], rows, numbers_from=1)


def _n_rows(manifest: Manifest, folder: str) -> int:
    """Of the files of all systems."""
    return sum(each.rows for name, each in manifest.files.items() if name.startswith(f"{folder}/"))
