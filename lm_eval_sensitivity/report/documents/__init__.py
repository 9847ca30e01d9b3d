"""One document per kind of statement: what a command says, as blocks that every form renders.

clusters.py  The document of `lm-eval-sensitivity clusters`
compare.py   The document of `lm-eval-sensitivity compare`
drift.py     The document of `lm-eval-sensitivity drift`
drift_gate.py What a build reads of systems beside a reference
flips.py      The document of `lm-eval-sensitivity flips`
glance.py     What a report says first: a card of one system, or a row of each
heatmap.py   The document of `lm-eval-sensitivity heatmap`
pairs.py     The document of `lm-eval-sensitivity pairs`: what was loaded, and what was not
parts.py     Pieces of documents that commands over runs share
plan.py      The document of `lm-eval-sensitivity ladder plan`
report.py    The page of a report: every statement about some runs, with its figures, in one file
summary.py   The document of `lm-eval-sensitivity show`: the last screen of a run again, and all its numbers
"""
