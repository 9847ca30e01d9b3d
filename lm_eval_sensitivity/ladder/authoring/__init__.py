"""What makes a ladder. No run imports it.

user_prompts.py      people's own prompts: text, CSV, JSON lines; hub_prompts.py: a Hub dataset
tables.py            lines and cells of text and CSV files; own_pairs.py: tables with one row per pair
generic_control.py   a positive control for own prompts that nobody wrote one for
folder.py            a whole dataset folder: sources -> parquet -> card
checks/              what a valid table can still get wrong
distances.py         how far apart the two prompts of a pair are
audit_grid.py        which edits reach which tokenizers; measured.py: both measurements in a file
card.py              the dataset card; card_sections.py: its numbers; *.md: its templates
files_to_publish.py  what of a folder may be published
"""
