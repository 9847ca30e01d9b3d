"""What the page costs: first view and pairs, over a large results folder, a small one, and no results at all.

Large are 25 systems on the whole ladder (51,500 pairs, outputs of 128 tokens), small are two on its smallest subset.
Runs made without a model go through `export` as real ones do. Then, in turn, a browser that has nothing stored opens

- the page over the large folder,
- the page over the small folder,
- a Gradio page with nothing but a heading, which is what the framework itself costs,

and it is timed until the heading stands there, and the bytes that it loaded are counted. Last, a process that has
opened the large folder makes the pages of pairs, drawn at random, in both folders. Seconds of one machine mean
nothing for another: read the ratios, and the bytes.

    python -m benchmarks.space
    python -m benchmarks.space --output benchmarks/space.json

It needs the extras `space` and `browser`, chromium, and some ten minutes and 2 GiB of disk.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.measuring import in_a_child, say

FIRST_VIEW_SECONDS, FIRST_VIEW_BYTES, PAIR_SECONDS = 1.5, 10**6, 0.150
"""Targets."""
N_SYSTEMS, N_MORE_TOKENS, N_PAIRS = 25, 124, 200
N_SMALL = 2
BARE = """
import sys, gradio
with gradio.Blocks(analytics_enabled=False) as app:
    gradio.HTML("<h1>Nothing</h1>")
app.launch(server_port=int(sys.argv[1]), ssr_mode=False, share=False)
"""
SMALL, LARGE, NOTHING = "small", "large", "nothing"


def export(folder: Path, runs: Path, n_systems: int, subset: str) -> dict[str, Any]:
    """Make runs and export them; the first is the reference."""
    from lm_eval_sensitivity.cli import main as cli
    from lm_eval_sensitivity.ladder import load_ladder
    from lm_eval_sensitivity.types import RUNGS
    from tests.unit.results.made_results import make_runs

    ladder = load_ladder(subset=subset)
    print(f"{subset}: {n_systems} runs, and their export ...", file=sys.stderr, flush=True)
    length = {"n_more_tokens": N_MORE_TOKENS, "max_gen_toks": N_MORE_TOKENS + 4}
    made = [str(each) for each in make_runs(runs, n_systems, rungs=RUNGS, ladder=ladder, **length).folders]
    start = time.perf_counter()
    if cli.main(["export", *made, "--reference", made[0], "-o", str(folder)]):
        raise SystemExit("the export failed")
    return {
        "systems": n_systems,
        "pairs": n_systems * len(ladder.pairs),
        "export_seconds": time.perf_counter() - start,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }


def first_view(browser: Any, address: str) -> dict[str, float]:
    """Open an address with nothing stored, until its heading stands there."""
    context = browser.new_context()
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    loaded: list[float] = []
    network.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator("h1").wait_for()
    seconds = time.perf_counter() - start
    page.wait_for_load_state("networkidle")  # what comes later counts as loaded, too
    context.close()
    return {"seconds": seconds, "bytes": sum(loaded), "requests": len(loaded)}


def first_views(folders: Mapping[str, Path], rounds: int, logs: Path) -> dict[str, dict[str, float]]:
    """Median first view of each page; the pages take turns, so that a busy machine is busy for all."""
    from playwright.sync_api import sync_playwright

    from examples.screenshots import browser_path
    from tests.browser.serving import serving, serving_line

    with ExitStack() as stack:
        addresses = {
            name: stack.enter_context(serving(folder, logs / f"{name}.log"))
            for name, folder in folders.items()
        }
        bare = [sys.executable, "-c", BARE]
        addresses[NOTHING] = stack.enter_context(serving_line(bare, logs / "nothing.log"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=browser_path())
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in addresses}
        for place in range(rounds + 1):
            for name, address in addresses.items():
                measured = first_view(browser, address)
                if place:  # the first round wakes browser and servers
                    seen[name].append(measured)
        browser.close()
    return {
        name: {key: statistics.median(each[key] for each in views) for key in views[0]}
        for name, views in seen.items()
    }


def open_pairs(folder: Path) -> None:
    """In a process of its own: what opening a folder, its first pair and many pairs take, as JSON."""
    import numpy as np

    from lm_eval_sensitivity.results import open_results
    from lm_eval_sensitivity.space.app import warm
    from lm_eval_sensitivity.space.choices import address_of
    from lm_eval_sensitivity.space.page import render
    from lm_eval_sensitivity.space.query import parse

    start = time.perf_counter()
    results = open_results(folder)
    warm(results)
    opened = time.perf_counter() - start
    generator, pairs = np.random.default_rng(0), tuple(results.ladder)
    drawn = generator.integers([len(results.systems), len(pairs)], size=(N_PAIRS, 2)).tolist()
    taken = []
    for system, pair in drawn:
        address = "?" + urlencode(
            {"view": "pairs", "system": address_of(results.systems[system]), "pair": pairs[pair]}
        )
        start = time.perf_counter()
        page = render(results, parse(address))
        taken.append(time.perf_counter() - start)
        assert "One pair" in page
    taken.sort()
    figures = {
        "open_seconds": opened,
        "pair_median_seconds": statistics.median(taken),
        "pair_slowest_of_20_seconds": taken[int(0.95 * N_PAIRS)],
        "pair_slowest_seconds": taken[-1],
    }
    print(json.dumps(figures))


def opened(folder: Path) -> dict[str, float]:
    """The same, from outside."""
    figures: dict[str, float] = in_a_child("space", f"--pairs-of={folder.resolve()}")
    return figures


def report(
    sizes: Mapping[str, Any], views: Mapping[str, Any], pairs: Mapping[str, Any], rounds: int
) -> dict[str, Any]:
    """Targets beside what was measured, and the ratios."""
    large = views[LARGE]
    return {
        "rounds": rounds,
        "targets": {
            "first_view_seconds": FIRST_VIEW_SECONDS,
            "first_view_bytes": FIRST_VIEW_BYTES,
            "pair_seconds": PAIR_SECONDS,
        },
        "within_targets": {
            "first_view_seconds": large["seconds"] <= FIRST_VIEW_SECONDS,
            "first_view_bytes": large["bytes"] < FIRST_VIEW_BYTES,
            "pair_seconds": pairs[LARGE]["pair_slowest_seconds"] < PAIR_SECONDS,
        },
        "first_view_seconds_over_nothing": _short(large["seconds"] / views[NOTHING]["seconds"]),
        "first_view_seconds_over_small": _short(large["seconds"] / views[SMALL]["seconds"]),
        "pair_seconds_over_small": _short(
            pairs[LARGE]["pair_median_seconds"] / pairs[SMALL]["pair_median_seconds"]
        ),
        "folders": {name: _shortened(each) for name, each in sizes.items()},
        "first_view": {name: _shortened(each) for name, each in views.items()},
        "server": {name: _shortened(each) for name, each in pairs.items()},
    }


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _shortened(values: Mapping[str, float]) -> dict[str, float]:
    return {key: _short(value) if isinstance(value, float) else value for key, value in values.items()}


def main() -> None:
    """Make both folders, open them, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="first views of each page (default: %(default)s)"
    )
    parser.add_argument("--folders", type=Path, help="keep results there, or take those that are there")
    parser.add_argument("--output", type=Path, help="also write the figures there, as JSON")
    parser.add_argument("--pairs-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pairs_of:
        open_pairs(options.pairs_of)
        return
    home = options.folders or Path(tempfile.mkdtemp(prefix="benchmark-space-"))
    try:
        figures = _measure(home, options.rounds)
    finally:
        if not options.folders:
            shutil.rmtree(home)
    say(figures, options.output)


def _measure(home: Path, rounds: int) -> dict[str, Any]:
    sizes = {}
    for name, n_systems, subset in ((SMALL, N_SMALL, "mini"), (LARGE, N_SYSTEMS, "full")):
        note = home / f"{name}.json"
        if not note.exists():
            figures = export(home / name, home / f"{name}-runs", n_systems, subset)
            note.write_text(json.dumps(figures), encoding="utf-8")
        sizes[name] = json.loads(note.read_text(encoding="utf-8"))
    folders = {name: home / name for name in sizes}
    views = first_views(folders, rounds, home)
    return report(sizes, views, {name: opened(folder) for name, folder in folders.items()}, rounds)


if __name__ == "__main__":
    main()
