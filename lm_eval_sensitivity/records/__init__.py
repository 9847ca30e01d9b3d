"""What is written to files and read back, typed once for both sides.

run_metadata.py   what a results file says about one task of a run
sample.py         one row of a samples file; codec.py: records as JSON, strangers' ones refused by field
answers.py        what a wrapped task's prompts were answered
columns.py        the columns of the pairs table
packing.py        numeric arrays inside JSON
store.py          the response store: a killed run continues where it stopped
file_codec.py     whole records as a file's JSON, with limits.py: how large everything may be
"""
