"""Sentences about statements, each with one author: the same on a terminal, in a report and on a page."""

NOT_EQUAL = "which does not say that they are equal"
"""What `not distinguishable` does not say."""
