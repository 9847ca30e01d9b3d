"""What is written to files and read back, typed once for both sides.

run_metadata.py   what a results file says about one task of a run
columns.py        the columns of the pairs table
packing.py        numeric arrays inside JSON
"""
