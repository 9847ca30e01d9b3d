"""A document as JUnit XML, which builds count as tests."""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree

from lm_eval_sensitivity.report.blocks import Case, Gate

_NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even as their numbers."""


def as_junit(title: str, gate: Gate) -> str:
    """A gate for the test report of a build.

    Args:
        title: of the document.
        gate: its cases.

    Returns:
        XML: `testsuites`, a `testsuite` of every group, in it a `testcase` of every case. What was not judged is
        `skipped`, so that it cannot be taken for a pass.

    Example:
        >>> from lm_eval_sensitivity.report.blocks import ResultTable
        >>> gate = Gate("Moved.", ResultTable("n", "n", (), ()), (), (), (Case("noop", "nbsp", "failed", "0.3 > 0.2"),))
        >>> print(as_junit("One prompt", gate))
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="One prompt" tests="1" failures="1" skipped="0" errors="0">
          <testsuite name="noop" tests="1" failures="1" skipped="0" errors="0">
            <testcase classname="noop" name="nbsp">
              <failure message="0.3 &gt; 0.2">0.3 &gt; 0.2</failure>
            </testcase>
          </testsuite>
        </testsuites>
        <BLANKLINE>
    """
    root = ElementTree.Element("testsuites", {"name": _text(title), **_counts(gate.cases)})
    for group, found in groupby(gate.cases, key=lambda case: case.group):
        cases = tuple(found)
        suite = ElementTree.SubElement(root, "testsuite", {"name": _text(group), **_counts(cases)})
        for case in cases:
            attributes = {"classname": _text(group), "name": _text(case.name)}
            element = ElementTree.SubElement(suite, "testcase", attributes)
            if case.outcome == "passed":
                said = ElementTree.SubElement(element, "system-out")
            else:
                tag = "failure" if case.outcome == "failed" else "skipped"
                said = ElementTree.SubElement(element, tag, {"message": _text(case.message)})
            said.text = _text(case.text or case.message)
    ElementTree.indent(root)
    written: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written}\n'


def _counts(cases: tuple[Case, ...]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    counts = {"tests": len(cases), "failures": outcomes.count("failed"), "skipped": outcomes.count("skipped")}
    return {name: str(count) for name, count in (counts | {"errors": 0}).items()}


def _text(text: str) -> str:
    return _NOT_IN_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
