"""What is said where an embedder cannot read outputs, with the way out."""

from __future__ import annotations


def unreadable_sentence(count: int, total: int, of: str, option: str) -> str:
    """Nothing may be concluded of these outputs, and another embedder may read them.

    Args:
        count: of those that cannot be read.
        total: of all.
        of: what they are.
        option: that names another embedder, as it is to be written.

    Returns:
        Two sentences.

    Example:
        >>> unreadable_sentence(1, 2, "pairs", "--embedder NAME")[:79]
        'The embedder cannot read 1 of 2 pairs, equal ones included: they have no cosine'
    """
    return (
        f"The embedder cannot read {count} of {total} {of}, equal ones included: they have no cosine distance. Name "
        f"one that reads this language or script, as in `{option}`."
    )
