"""What every engine's outputs go through: plan, decoding settings, prompt ends, views, token ends.

decoding.py       The decoding settings of a run: greedy or sampled at a temperature, a token limit
fingerprint.py    The hash that names a system: equal fingerprints mean equal identities
generation.py     What one generation leaves behind: its text, and the trace
plan.py           Which generations a run needs: identical requests once, replicates apart
prompt_ends.py    Collect outputs as they come, compare prompt ends within a neighborhood
token_ends.py     Where each generated token ends in the visible text
trace_records.py  Outputs and traces as JSON records: the form in which the response store keeps them
views.py          From outputs to views: find the scaffold, cut the answer, mark the token windows
"""
