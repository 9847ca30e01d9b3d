"""The ladder of edits: rungs, rule-based edits, authored sources, building, validation, loading.

    edits/          rule-based edits, protected spans, their registry
    sources.py      authored YAML files: base prompts and hand-written variants
    build.py        sources and edits -> pairs
    schema.py       what rows must look like; the content hash
    parquet.py      ladder files in parquet; jsonl.py: in JSON lines; files.py: size limits
    load.py         the packaged ladder, a folder, a file or a Hub dataset -> Ladder
    card.py         the counts in the dataset card
    __main__.py     `python -m lm_eval_sensitivity.ladder` builds the parquet files and the card

Only pyarrow and PyYAML are needed.
"""

from __future__ import annotations

from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.load import Ladder, load_ladder
from lm_eval_sensitivity.ladder.replacements import apply_replacements, minimal_replacement
from lm_eval_sensitivity.ladder.schema import content_hash

__all__ = [
    "Ladder",
    "apply_replacements",
    "build_pairs",
    "content_hash",
    "load_ladder",
    "minimal_replacement",
]
