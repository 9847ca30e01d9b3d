r"""Mathematics and code that stand in a prompt without a fence: `$x^2$`, `\(n\)`, a line such as `total = f(x)`.

Both follow rules in which a space or a period counts, so no edit may land there. A dollar sign alone proves
nothing: `$5 and $6` are prices.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from itertools import pairwise

_MATH_TOKEN = re.compile(
    r"(?P<blank>\n[ \t]*\n)|\\\\|\\\$|\\[\[\]()]|\\(?:begin|end)\{[a-z]+\*?\}|\$\$|\$", re.IGNORECASE
)
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}\n]*\})+")  # `\text{...}` outside of any delimiter
_CLOSES = {r"\[": r"\]", r"\(": r"\)", "$$": "$$", "$": "$"}
_MATH_MARK = re.compile(r"[\\^_=<>≤≥≠∈∑∫√]")
_WORD = re.compile(r"[A-Za-z]{2,}")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}[,.]?[ \n]+[A-Za-z]{2,}")
_SHORT_MATH = re.compile(r"[^\s,]*[A-Za-z0-9)\]}][^\s,]*(?:, ?[A-Za-z])*|[A-Za-z0-9()+\-*/|!' ,]*")

_LONGEST_FORMULA = 1_000  # characters between two dollar signs; the other delimiters are no currency
_LONGEST_LINE = 400  # characters: longer lines are prose, and parsing costs time
_CODE_MARK = re.compile(r"[(=:;{}<]|^\s*(?:import|from)\b")
_CALL = re.compile(r"[\w\])]\(")  # no space: `rice (cooked)` is prose
_STATEMENT = re.compile(
    r"""(?:\w\(.*\)|[^=!<>]=[^=].*|^\s*(?:return|break|continue)\b.*|^\s*\}.*)\s*;\s*$   # C, Java, JavaScript
    |(?:\)|=>|\b(?:else|try|do|class\s+\w+|struct\s+\w+))\s*\{\s*$                       # and what opens a block
    |^\s*</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>                                               # HTML, XML
    |^\s*\#include\b
    |^\s*(?:SELECT\b.*\bFROM|INSERT\s+INTO|DELETE\s+FROM|CREATE\s+TABLE|UPDATE\s+\w+\s+SET)\b""",
    re.VERBOSE,
)
_CONTINUES = re.compile(
    r"^\s*[\])}]+[;,:)]*\s*$|^\s*(?:return|else|try|finally|pass|break|continue)\b[^.?!]*$|^\s*#"
)
_INDENTED = re.compile(r"(?: {2,}|\t)(?![-*+•>|]\s|\d{1,3}[.)]\s)")
_BRACKET = re.compile(r"[()\[\]{}]")
_OPERATOR = re.compile(r"[=+*/<>%&^]|[:;]\s*$|\w\(")


def mathematics(text: str) -> list[tuple[int, int]]:
    r"""Spans between the delimiters of TeX and Markdown, environments, and single commands with braces.

    Args:
        text: without its code, which is blanked by NUL.

    Returns:
        (start, end) in characters, by start; delimiters included.

    Example:
        >>> mathematics("Solve $x+1=3$ for $5 or $6.")
        [(6, 13)]
    """
    spans = list(_delimited(text))
    covered = 0
    rest = []
    for match in _COMMAND.finditer(text):
        while covered < len(spans) and spans[covered][1] <= match.start():
            covered += 1
        if covered == len(spans) or match.end() <= spans[covered][0]:
            rest.append(match.span())
    return sorted([*spans, *rest])


def _delimited(text: str) -> Iterator[tuple[int, int]]:
    """Each opening delimiter with the next one that closes it, in one pass and within a paragraph."""
    opened: re.Match[str] | None = None
    for token in _MATH_TOKEN.finditer(text):
        mark = token.group()
        if token["blank"]:
            opened = None
        elif opened is None or not _is_closed(text, opened, token):
            # A dollar that closes nothing may open: prices are followed by formulas.
            if _opens(text, token) and (opened is None or opened.group() == mark == "$"):
                opened = token
        else:
            yield opened.start(), token.end()
            opened = None


def _opens(text: str, token: re.Match[str]) -> bool:
    mark = token.group()
    if mark == "$":
        return not text[token.end() : token.end() + 1].isspace()
    return mark in _CLOSES or mark.lower().startswith(r"\begin")


def _is_closed(text: str, opened: re.Match[str], token: re.Match[str]) -> bool:
    mark = opened.group()
    if mark == "$":
        is_near = token.group() == "$" and token.start() - opened.end() <= _LONGEST_FORMULA
        before_digit = text[token.end() : token.end() + 1].isdigit()  # `$5/$6`
        return is_near and not before_digit and _is_formula(text[opened.end() : token.start()])
    if mark in _CLOSES:
        return token.group() == _CLOSES[mark]
    return token.group().lower() == mark.lower().replace("begin", "end", 1)


def _is_formula(content: str) -> bool:
    """Whether what stands between two dollar signs is a formula and not prose between two prices."""
    if not content or content[0].isspace() or content[-1].isspace() or "\0" in content:
        return False
    if _PROSE.search(re.sub(r"\\[A-Za-z]+(?:\{[^{}]*\})?", "", content)):
        return False
    return _MATH_MARK.search(content) is not None or (
        _WORD.search(content) is None and _SHORT_MATH.fullmatch(content) is not None
    )


def code_lines(text: str) -> list[tuple[int, int]]:
    """Spans of lines that are code without a fence.

    A line is code where it parses as a statement of Python with a call, an assignment or a definition, has the
    form of a statement in another common language, or is indented and has brackets and operators. The lines
    between and beside such lines that continue them (`return x`, `}`) belong to them.

    Args:
        text: without its fenced code and mathematics, which are blanked by NUL.

    Returns:
        (start, end) of each run of such lines, without the last line break.

    Example:
        >>> code_lines("What does this print?\\nfor n in range(3):\\n    print(n)")
        [(22, 53)]
        >>> code_lines("Note: tea (green) is well-known; and/or coffee.")
        []
    """
    if _CODE_MARK.search(text) is None:
        return []
    lines = text.split("\n")
    kinds = [_kind(line) for line in lines]
    for step in (1, -1):  # what continues code downwards, then upwards
        order = range(len(lines))[::step]
        for before, here in pairwise(order):
            if kinds[before] == "code" and kinds[here] == "weak":
                kinds[here] = "code"
    spans: list[tuple[int, int]] = []
    start, open_run = 0, False
    for line, kind in zip(lines, kinds, strict=True):
        if kind == "code":
            spans.append((spans.pop()[0] if open_run else start, start + len(line)))
        open_run = kind == "code"
        start += len(line) + 1
    return spans


def _kind(line: str) -> str:
    """`code`, `weak` (code beside code) or empty."""
    if not line.strip() or len(line) > _LONGEST_LINE or "\0" in line:
        return ""
    if _INDENTED.match(line) and _BRACKET.search(line) and _OPERATOR.search(line):
        return "code"
    if _STATEMENT.search(line) or (_CODE_MARK.search(line) and _is_python(line.strip())):
        return "code"
    return "weak" if _CONTINUES.match(line) or _INDENTED.match(line) else ""


def _is_python(line: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `"\d"` parses, with a warning
        try:
            tree = ast.parse(f"{line} pass" if line.endswith(":") else line)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return any(_is_code(node, line) for node in tree.body)


def _is_code(node: ast.stmt, line: str) -> bool:
    """Whether a statement is one that prose does not have by chance, as `Note: important` and `tea or coffee` do."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ImportFrom, ast.Import)
    if isinstance(node, (*definitions, ast.Assign, ast.AugAssign, ast.For)):
        return True
    inner = list(ast.walk(node))
    has_call = any(isinstance(each, ast.Call) for each in inner) and _CALL.search(line) is not None
    signs = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    has_comparison = any(
        isinstance(each, ast.Compare) and any(isinstance(sign, signs) for sign in each.ops) for each in inner
    )
    return has_call or has_comparison or any(isinstance(each, ast.Subscript) for each in inner)
