"""How large everything in a file that is exported or kept may be: limits of what a stranger may send."""

from __future__ import annotations

MAX_SYSTEMS = 64
MAX_PAIRS = 50_000
"""Of one system."""
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_STATEMENTS_BYTES = 128 * 2**20
MAX_TABLE_BYTES = 64 * 2**20
"""Of one parquet file; details may have more."""
MAX_DETAILS_BYTES = 512 * 2**20
MAX_GROUP_BYTES = 512 * 2**20
"""Of one row group, decompressed."""

LONGEST_NAME = 200
"""Characters of the name of a system or a series, and of a fact."""
LONGEST_ID = 300
"""Characters of an id of a pair, a prompt or an edit: it stands in addresses, which hold no more."""
LONGEST_SENTENCE = 4_000
"""Characters of one text of a statement; an export cuts longer ones, and says so."""
MOST_SENTENCES = 512
"""Texts of one list; an export leaves out the rest, and says so."""
LONGEST_SENTENCES = 100_000
"""Characters of one list of texts."""
MOST_ITEMS = 100_000
"""Records of one list."""
MOST_CLUSTERS = 512
"""Of one selection; an export leaves out a selection with more, and says so. Clusters that overlap are many more than
systems where few prompts were asked: up to 60 were simulated with 32 systems, and up to 470 with 64."""
LONGEST_OUTPUT = 100_000
"""Characters of one output; the rest is cut, and counted."""
MOST_STEPS = 8_192
"""Tokens of a curve or of margins that are kept."""
LONGEST_DETAIL = 4 * 2**20
"""Characters of the JSON of one pair's details: two outputs, and six arrays."""

READER_BYTES = 2 * 2**30
"""Memory of the process that reads a stranger's folder."""
READER_SECONDS = 300
"""Its time."""
