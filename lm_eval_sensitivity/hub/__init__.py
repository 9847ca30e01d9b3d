"""Files on the Hugging Face Hub, published and fetched: one commit, a tag where there is a version, every refusal one
sentence.

What is published (a ladder, results, a Space) says in a `Kind` which files belong to it and what its user can do.

files_to_publish.py   kinds of publications, their files and sizes
card.py               front matter and body of a dataset card
session.py            the client of the Hub, and what to do about its errors
commit.py             the commit, the tag, and the variables of a Space
download.py           files of a dataset, each compared with what the Hub says of it
"""

from __future__ import annotations

from lm_eval_sensitivity.hub.commit import publish, set_variables
from lm_eval_sensitivity.hub.download import UnreachableError, download
from lm_eval_sensitivity.hub.files_to_publish import Files, Kind, Published, can_be_tag, listing, size_of
from lm_eval_sensitivity.hub.session import check_repo_id

__all__ = [
    "Files",
    "Kind",
    "Published",
    "UnreachableError",
    "can_be_tag",
    "check_repo_id",
    "download",
    "listing",
    "publish",
    "set_variables",
    "size_of",
]
