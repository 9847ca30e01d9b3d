"""The front matter of a dataset card: what the Hub and the datasets library read before they read a row.

A wrong type there casts a column without a word, and a wrong number of rows makes loading fail, so
everything about the data comes from the parquet files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from lm_eval_sensitivity.ladder.parquet import SCHEMA

FENCE = "---\n"
SPLIT = "test"
PREFERRED_SUBSET = "core"
"""The subset that the Hub shows first and that is loaded when none is named, where it exists."""

_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M"}


@dataclass(frozen=True)
class SubsetFacts:
    """One parquet file, as the datasets library will count it."""

    name: str
    path: str
    """Inside the dataset folder, with forward slashes."""
    n_rows: int
    n_bytes: int
    """Size of the rows in memory."""
    n_file_bytes: int


def subset_facts(folder: Path, name: str, file: Path) -> SubsetFacts:
    """Count one parquet file, which has been loaded and checked before."""
    rows = pq.read_table(file)
    path = file.relative_to(folder).as_posix()
    return SubsetFacts(name, path, rows.num_rows, rows.nbytes, file.stat().st_size)


def front_matter(header: Mapping[str, Any], subsets: Sequence[SubsetFacts]) -> str:
    """The YAML block that opens a card, fences included.

    Args:
        header: fields that do not follow from the data.
        subsets: largest first.
    """
    content = {**header, **data_fields(subsets)}
    return FENCE + yaml.safe_dump(content, sort_keys=False, allow_unicode=True) + FENCE


def data_fields(subsets: Sequence[SubsetFacts]) -> dict[str, Any]:
    """The fields of the front matter that follow from the data."""
    default = default_subset([subset.name for subset in subsets])
    return {
        "size_categories": [size_category(max(subset.n_rows for subset in subsets))],
        "configs": [_config(subset, subset.name == default) for subset in subsets],
        "dataset_info": [_info(subset) for subset in subsets],
    }


def default_subset(names: Sequence[str]) -> str:
    """The one that is loaded when none is named: `core`, else the largest.

    Example:
        >>> default_subset(["full", "core", "mini"]), default_subset(["mine"])
        ('core', 'mine')
    """
    return PREFERRED_SUBSET if PREFERRED_SUBSET in names else names[0]


def size_category(n_rows: int) -> str:
    """The Hub's name for a number of rows.

    Example:
        >>> size_category(999), size_category(1_000)
        ('n<1K', '1K<n<10K')
    """
    return next((name for limit, name in _SIZES.items() if n_rows < limit), "1M<n<10M")


def _config(subset: SubsetFacts, default: bool) -> dict[str, Any]:
    data_files = [{"split": SPLIT, "path": subset.path}]
    return {
        "config_name": subset.name,
        **({"default": True} if default else {}),
        "data_files": data_files,
    }


def _info(subset: SubsetFacts) -> dict[str, Any]:
    return {
        "config_name": subset.name,
        "features": [_feature(field) for field in SCHEMA],
        "splits": [{"name": SPLIT, "num_bytes": subset.n_bytes, "num_examples": subset.n_rows}],
        "download_size": subset.n_file_bytes,
        "dataset_size": subset.n_bytes,
    }


def _feature(field: Any) -> dict[str, Any]:
    """An Arrow field in the datasets library's spelling, which calls a list of records `list`."""
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": [_feature(inner) for inner in field.type.value_type]}
    return {"name": field.name, "dtype": str(field.type)}
