"""One prompt with everything that lies near it: what moved, what did not, and what that says.

document.py  The findings of one prompt as a document
findings.py  What one prompt's run found: sample rows become variants, their range and their counts
gate.py      What a build reads: four numbers, and a case per harmless edit
prompt.py    The prompt that a user gives, checked, and its variants
verdict.py   What may be said about one prompt's findings, and what stands against believing it
"""
