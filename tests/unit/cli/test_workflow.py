"""The workflow of `examples/`: pinned actions, and commands that this version takes."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

from lm_eval_sensitivity.cli.main import build_parser

FILE = Path(__file__).parents[3] / "examples" / "github-workflow.yml"
WORKFLOW: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["check"]["steps"]
SCRIPTS: list[str] = [step["run"] for step in STEPS if "run" in step]


def test_every_action_is_pinned_to_a_commit_and_rights_are_few() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 5 and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", each) for each in used)
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not re.search(r"\$\{\{ *github\.", "\n".join(SCRIPTS)), (
        "what a pull request says is no part of a script"
    )


def test_scripts_are_bash() -> None:
    for script in SCRIPTS:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_commands_are_taken() -> None:
    text = "\n".join(SCRIPTS).replace("\\\n", " ")
    lines = re.findall(r"lm-eval-sensitivity ((?:neighborhood|drift) .*?) \|\| failed=1", text)
    assert len(lines) == 2
    for line in lines:
        for form in ("comment", "junit"):
            options = build_parser().parse_args(
                shlex.split(line.replace("${format/junit/xml}", form).replace("$format", form))
            )
            assert options.format == form and options.output.parent == Path("checks")
    assert "--fail-above" in lines[0] and "--fail-on" in lines[1]
    assert "cat checks/*.comment" in text and "GITHUB_STEP_SUMMARY" in text
