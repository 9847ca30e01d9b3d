"""Imports go one way, and what is light stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lm_eval_sensitivity

PACKAGE = Path(lm_eval_sensitivity.__file__).parent
HEAVY = (
    *("torch", "lm_eval", "transformers", "tokenizers", "sentence_transformers", "matplotlib", "gradio"),
    *("datasets", "pandas", "statsmodels", "huggingface_hub", "scipy", "ray"),
)
CALLS = {"demo": "demo_model_path()", "ladder": "load_ladder()"}
"""What must not load them either."""

LAYERS = [
    {"types", "progress"},
    {"text"},
    {"errors"},
    {"audit", "scaffold", "metrics", "demo", "stats", "hub"},
    {"ladder"},
    {"embedder", "records", "glossary"},
    {"runs"},
    {"statements"},
    {"report"},
    {"probes"},
    {"harness", "results"},
    {"neighborhood", "space"},
    {"notebook", "panel"},
    {"cli"},
]
"""Lowest first: a module may import from lower layers and from itself."""

ROOMS_OF_THE_HARNESS = [
    {"generate"},
    {"measure"},
    {"engines"},
    {"recorded", "close"},
    {"tasks", "rescore"},
    {"wrapping"},
    {"extension", "registered"},
]
"""Lowest first, in the same way."""

MAY_IMPORT = {
    "torch": {"harness", "demo", "embedder", "probes"},
    "lm_eval": {"harness", "panel"},
    "matplotlib": {"report"},
    "gradio": {"space"},
    "ray": {"panel"},
}
"""Who may import what at all. The three that load models import torch, the embedder inside functions only. The panel
reads command lines with lm_eval's own parser, which loads no more than itself, inside one function."""


@cache
def imports() -> list[tuple[str, str, Path]]:
    """(importing part, imported module, file) for every import in the package."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(part, alias.name, file) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.append((part, node.module, file))
    return found


def layer(part: str, layers: list[set[str]]) -> int:
    return next(index for index, parts in enumerate(layers) if part in parts)


def test_imports_go_one_way() -> None:
    checked = 0
    for part, module, file in imports():
        if not module.startswith("lm_eval_sensitivity.") or part == "__init__":
            continue
        other = module.split(".")[1]
        checked += 1
        assert other == part or layer(other, LAYERS) < layer(part, LAYERS), (
            f"{file.relative_to(PACKAGE)} imports {module}"
        )
    assert checked > 50


def test_imports_between_the_rooms_of_the_harness_go_one_way() -> None:
    checked = 0
    for part, module, file in imports():
        inner = file.relative_to(PACKAGE).parts[1].removesuffix(".py") if part == "harness" else "__init__"
        if inner in ("__init__", "one_prompt", "replaying") or not module.startswith(
            "lm_eval_sensitivity.harness."
        ):
            continue
        other = module.split(".")[2]
        checked += 1
        lower = layer(other, ROOMS_OF_THE_HARNESS) < layer(inner, ROOMS_OF_THE_HARNESS)
        assert other == inner or lower, f"{file.relative_to(PACKAGE)} imports {module}"
    assert checked > 50


def test_no_run_imports_what_makes_a_ladder() -> None:
    users = {
        file.relative_to(PACKAGE).as_posix()
        for _, module, file in imports()
        if module.startswith("lm_eval_sensitivity.ladder.authoring")
    }
    users = {user for user in users if not user.startswith(("ladder/authoring/", "cli/ladder_"))}
    assert users == {"ladder/__main__.py"}, "the builder of the packaged folder, which no run starts"


def test_engines_know_nothing_of_each_other() -> None:
    room = "lm_eval_sensitivity.harness.engines"
    engines = PACKAGE / "harness" / "engines"
    found = [(module, file) for part, module, file in imports() if part == "harness"]
    assert {file.parent for module, file in found if module.split(".")[0] == "torch"} == {engines / "hf"}
    assert not [module for module, file in found if file == engines / "text.py" and f"{room}.hf" in module]
    others = {f"{room}.{name}" for name in ("text", "registry", "run", "contract")}
    assert not {module for module, file in found if file.parent == engines / "hf"} & others
    code = f"import sys, {room}.run; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", "an engine's libraries are loaded with its model, not before"


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        name = ".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts))
        names = graph.setdefault(name, set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
            elif isinstance(node, ast.Import):
                names |= {each.name for each in node.names}
    # Raises where there is one, and names it.
    list(TopologicalSorter({name: names & set(graph) for name, names in graph.items()}).static_order())


@pytest.mark.parametrize("library", sorted(MAY_IMPORT))
def test_heavy_libraries_stay_in_their_folders(library: str) -> None:
    users = {part for part, module, _ in imports() if module.split(".")[0] == library}
    assert users <= MAY_IMPORT[library]
    assert users, f"nobody imports {library}: this test checks nothing"


LIGHT = (
    *(
        "types",
        "errors",
        "text",
        "scaffold",
        "metrics",
        "stats",
        "demo",
        "audit",
        "embedder",
        "hub",
        "ladder",
    ),
    *("records", "runs", "statements", "report", "results", "space", "notebook", "panel", "cli"),
)


def test_importing_a_light_part_loads_nothing_heavy() -> None:
    """In a fresh interpreter, one after the other: what one loads stays there for all."""
    code = (
        "import importlib, sys\n"
        f"for part in {LIGHT!r}:\n"
        "    module = importlib.import_module(f'lm_eval_sensitivity.{part}')\n"
        f"    call = {CALLS!r}.get(part)\n"
        "    call and eval(f'module.{call}')\n"
        f"    print(part, *(name for name in {HEAVY!r} if name in sys.modules))\n"
        "assert 'lm_eval_sensitivity.ladder.authoring' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n_before = LIGHT.index("stats")
    assert done.stdout.splitlines() == [*LIGHT[:n_before], *(f"{part} scipy" for part in LIGHT[n_before:])]


def test_each_room_has_a_contents_page() -> None:
    """Its docstring names every file and room in it, and none that is not there."""
    rooms = [file.parent for file in PACKAGE.rglob("__init__.py") if file.parent != PACKAGE]
    assert len(rooms) > 25
    for room in rooms:
        page = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
        there = {file.name for file in room.glob("*.py")} - {"__init__.py"}
        there |= {f"{folder.name}/" for folder in room.iterdir() if (folder / "__init__.py").exists()}
        listed = set(re.findall(r"(?<![\w/.])\w+(?:\.py|/(?!\w))", page))
        assert there - listed <= {"__main__.py"} and listed <= there, room.relative_to(PACKAGE)


def test_the_data_folder_named_datasets_holds_no_code() -> None:
    """A code folder of that name would shadow the datasets library."""
    folder = PACKAGE.parent / "datasets"
    assert folder.is_dir()
    assert not list(folder.rglob("*.py"))
