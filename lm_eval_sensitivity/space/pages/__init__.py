"""Pages.

answers.py   What harmless edits do to the answers and the score of a task, and one answer
axes.py      Two axes beside a reference: how far harmless edits move a system, and how far it drifted
clusters.py  Which systems can be told apart, and which cannot: means with intervals, and groups
compare.py   Two systems side by side: one paired difference by prompt, what it rests on
heatmap.py   Edit by system: the mean distance of every single edit, and what became
length.py    Distance by window: is a low distance of long outputs a fact about the answers
method.py    What every number means, what it was computed from, how to get it, and what not to conclude
pair.py      One pair: what was asked, both outputs side by side, and where and how they part
pairs.py     Pairs: the list behind a number
probes.py    What probes found inside one system
"""
