"""Results folders: everything that a page over finished runs shows, computed once and read back as strangers' data.

records.py       what is read, in frozen records
schema.py        tables, what their cells may hold, limits
findings.py      what is computed, by the analyses; pages.py and systems.py: as records
details.py       outputs, spans, token ends, margins, curves, from the samples files
write.py         the folder; manifest.py: its manifest.json; target.py: what is replaced; private.py: no paths
files.py         files opened as strangers' data; tables.py: parquet with every limit checked first
lengths.py       how long texts may be, cut by the export; agreement.py: rows that agree with themselves
summaries.py     the small tables, read; system_files.py: pairs and details of one system
read.py          a folder, opened
publication.py   what of it is published on the Hub; card.py: its page there

No gradio, torch, lm_eval or matplotlib here.
"""

from __future__ import annotations

from lm_eval_sensitivity.results.read import Results, open_results
from lm_eval_sensitivity.results.records import SelectionKey

__all__ = ["Results", "SelectionKey", "open_results"]
