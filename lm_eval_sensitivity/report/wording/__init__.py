"""Sentences about statements, each with one author: the same on a terminal, in a report and on a page."""
