"""Strangers' texts and all numbers, on their way to a reader: the one place that makes them safe and readable.

escape.py    inside messages: one line, nothing in it that a terminal would obey
visible.py   inside tables of edits: what cannot be seen is replaced by something to see
markdown.py  inside Markdown: the same, and nothing is read as markup
format.py    numbers in sentences and cells
"""
