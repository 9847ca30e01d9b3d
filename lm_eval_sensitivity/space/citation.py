"""How to cite the package; `CITATION.cff` in the repository has the same, and a test compares them."""

from __future__ import annotations

from lm_eval_sensitivity.text.escape import inert

TITLE = "lm-eval-sensitivity: how much a language model's output moves when its prompt barely does"
AUTHORS = "The lm-eval-sensitivity authors"


def bibtex(version: str, signature: str, url: str = "") -> str:
    """An entry for the numbers of one page.

    Args:
        version: of the package that made the numbers.
        signature: what they were computed from.
        url: where the numbers are published.

    Returns:
        BibTeX; braces and what TeX would run are left out of both texts.

    Example:
        >>> print(bibtex("1.0", "ladder 1 mini").splitlines()[0])
        @misc{lm_eval_sensitivity,
    """
    published = f"  url    = {{{_plain(url)}}},\n" if url else ""
    return (
        "@misc{lm_eval_sensitivity,\n"
        f"  title  = {{{TITLE}}},\n"
        f"  author = {{{{{AUTHORS}}}}},\n"
        f"{published}"
        f"  note   = {{Version {_plain(version)}; {_plain(signature)}}}\n"
        "}"
    )


def _plain(text: str) -> str:
    """A text without braces and backslashes, which would end the entry or run as TeX."""
    return "".join(character for character in inert(text) if character not in "{}\\\n%$#&~^")
