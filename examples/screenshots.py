"""Take pictures of the page over a results folder: the groups of systems, and one pair.

    python examples/screenshots.py RESULTS FOLDER

RESULTS is a folder of `lm-eval-sensitivity export`. FOLDER gets `clusters.png`, down to the table of systems,
and `pair.png`, down to the lines of the two outputs.

The pair is chosen by a rule, so that the same results give the same picture: of the reference (the first system
where there is none), among the pairs that keep the meaning and whose answers share 3 steps at least and part in the
first half, the one whose curve ends highest, and of equals the first in the ladder. Where no pair is such, any pair
whose answers part will do.

Needs `pip install "lm-eval-sensitivity[space,browser]"` and a Chromium: `chromium` on the PATH, or its path in
LM_EVAL_SENSITIVITY_BROWSER. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import Results, open_results
from lm_eval_sensitivity.space.choices import address_of

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

WIDTH, HEIGHT = 1280, 900
MARGIN = 16
"""Pixels below what is cropped to."""
COLOURS = 64
"""Of a picture's palette: text and thin lines need no more, and the file is a third as large."""
FEWEST_SHARED = 3
"""Steps before the answers part."""
PATIENCE_SECONDS = 60


def chosen_pair(results: Results) -> str:
    """The query of the pair that is shown.

    Raises:
        InputError: no two answers part.
    """
    system = results.manifest.reference or 0
    given = set(results.pairs(system)["pair_id"].to_pylist())
    found: list[tuple[bool, int, str]] = []
    for line in results.ladder.values():
        if line.meaning_preserving and line.pair_id in given:
            detail = results.detail(system, line.pair_id)
            shared, curve = detail.first_divergence["answer"], detail.curves["answer"]
            if shared is not None and curve:
                found.append((FEWEST_SHARED <= shared <= len(curve) / 2, curve[-1], line.pair_id))
    if not found:
        raise InputError(
            "No two answers of the system part, so there is no pair to show. Give other results."
        )
    *_, pair = max(found, key=lambda each: each[:2])  # the first of equals
    return "?" + urlencode({"view": "pairs", "system": address_of(results.systems[system]), "pair": pair})


def browser_path() -> str:
    """Where the browser is."""
    found = os.environ.get("LM_EVAL_SENSITIVITY_BROWSER") or shutil.which("chromium")
    if found is None:
        raise InputError(
            "There is no `chromium` on the PATH. Install it (Debian: `apt-get install chromium`), or name a "
            "Chromium or Chrome in LM_EVAL_SENSITIVITY_BROWSER."
        )
    return found


def picture(page: Page, address: str, last: str) -> bytes:
    """The page from its top to an element, as a PNG of few colors.

    Args:
        page: of a browser.
        address: what to show.
        last: selector of the element at the bottom.
    """
    from PIL import Image

    page.goto(address)
    page.locator(last).wait_for()
    bottom = page.locator(last).bounding_box()
    assert bottom, "it is on the page"
    area: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": bottom["y"] + bottom["height"] + MARGIN}
    stream = io.BytesIO()
    with Image.open(io.BytesIO(page.screenshot(clip=area, full_page=True))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def take(results: Results, folder: Path) -> list[Path]:
    """Serve the page, take the pictures, and stop the server.

    Raises:
        InputError: playwright, gradio or the browser is missing, or no two answers part.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError(
            'playwright is not installed. Run `pip install "lm-eval-sensitivity[browser]"`.'
        ) from None
    from lm_eval_sensitivity.space.app import build, launch

    path, pair = browser_path(), chosen_pair(results)
    wanted = {"clusters.png": ("", "#systems"), "pair.png": (pair, ".branching .lanes")}
    folder.mkdir(parents=True, exist_ok=True)
    app = build(results)
    _, address, _ = launch(app, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path)
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            for name, (query, last) in wanted.items():
                (folder / name).write_bytes(picture(page, address + query, last))
            browser.close()
    finally:
        app.close(verbose=False)
    return [folder / name for name in wanted]


def main() -> None:
    """Read the arguments, take the pictures, say where they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of `lm-eval-sensitivity export`")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    options = parser.parse_args()
    try:
        for written in take(open_results(options.results), options.folder):
            print(f"{written} ({written.stat().st_size / 1000:.0f} kB)")
    except InputError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
