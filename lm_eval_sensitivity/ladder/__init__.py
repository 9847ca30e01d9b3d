"""The ladder of edits: rungs, rule-based edits, authored sources, building, validation, loading.

    edits/          rule-based edits, protected spans, their registry
    sources.py      authored YAML files: base prompts and hand-written variants
    build.py        sources and edits -> pairs; replacements.py: the spans in which they differ
    spread.py       few edits of every prompt, in a balanced rotation; cost.py: what a run of them costs
    schema.py       what rows must look like; row and content hashes
    parquet.py      ladder files in parquet; jsonl.py: in JSON lines; files.py: size limits
    meanings.py     what every rung and edit changes, in words
    load.py         the packaged ladder, a folder, a file or a Hub dataset -> Ladder
    hub.py          fetching from the Hub, and publishing on it
    tasks.py        which lm_eval tasks can run a ladder
    authoring/      what makes a ladder, and what no run imports
    __main__.py     `python -m lm_eval_sensitivity.ladder` builds a dataset folder

pyarrow, PyYAML and NumPy are enough to load, build and run ladders; checks and measurements need more and say so.
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
