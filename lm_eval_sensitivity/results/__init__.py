"""Results folders: everything that a page over finished runs shows, computed once and read back as strangers' data.

    manifest.py        what a folder holds
    statements.py      what was computed, in the records of the commands
    findings.py        which statements an export makes; systems.py: what it says of each system
    details.py         outputs, spans, token ends, margins, curves, from the samples files
    answers.py         what documents of wrapped tasks were answered
    probes.py          what was found inside the systems
    write.py           the folder; output_folder.py: what is replaced; redact_paths.py: no paths
    files.py           files opened as strangers' data; tables.py: parquet, every cell checked
    system_files.py    pairs and details of one system, read when they are asked for
    read.py            a folder, opened; sandbox.py: by a child process first, decode.py, with limits
    files_to_publish.py, recompute.py   what of it is published, after it was computed again; card.py: its page

No gradio, torch, lm_eval or matplotlib here.
"""

from __future__ import annotations

from lm_eval_sensitivity.results.read import Results, open_results

__all__ = ["Results", "open_results"]
