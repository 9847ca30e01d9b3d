"""From two outputs to numbers, each missing one with its reason.

pair.py          Measure one pair under one filter: every number, or why it is missing
records.py       A measured pair as a sample record: compact, complete
sampled_pair.py  Measure one sampled pair under one filter: two clouds of outputs
"""
