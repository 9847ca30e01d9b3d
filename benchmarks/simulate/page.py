"""The recorded figures as tables, and docs/validation.md, which holds them between marks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent
PAGE = RECORDED.parents[1] / "docs" / "validation.md"
MARK = "<!-- recorded: {} -->"
END = "<!-- end -->"
Row = Sequence[str]
Recorded = dict[str, Any]


def recorded(name: str) -> Recorded:
    """What was recorded of a part."""
    found: Recorded = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def table(head: Row, rows: Iterable[Row], words: int = 1) -> str:
    """A Markdown table of which the first columns hold words, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def share(value: float | None, digits: int = 3) -> str:
    """A share with a fixed number of digits; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _zeros(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


def _by_zeros(cells: list[Recorded], value: Callable[[list[Recorded]], str]) -> tuple[list[str], list[str]]:
    zeros = sorted({cell["zeros"] for cell in cells})
    return [_zeros(each) for each in zeros], [
        value([cell for cell in cells if cell["zeros"] == each]) for each in zeros
    ]


def coverage_of_means() -> str:
    """Two-sided intervals: mean over shapes, least, and width."""
    cells = [cell for cell in recorded("coverage")["cells"] if "single" in cell]
    rows, head = [], []
    for prompts in sorted({cell["prompts"] for cell in cells}):
        here = [cell for cell in cells if cell["prompts"] == prompts]
        for kind, words in (("several", "means of eight pairs"), ("single", "one number per prompt")):
            for what in ("covered", "mean width"):

                def said(found: list[Recorded], kind: str = kind, what: str = what) -> str:
                    if what == "mean width":
                        return share(_mean(each[kind]["width"] for each in found))
                    values = [each[kind]["two_sided"] for each in found]
                    return f"{share(_mean(values))} ({share(min(values))})"

                head, numbers = _by_zeros(here, said)
                rows.append([str(prompts), words, what, *numbers])
    return table(["prompts", "of", "", *head], rows, 3)


def coverage_of_bounds() -> str:
    """One-sided bounds."""
    cells = [cell for cell in recorded("coverage")["cells"] if "single" in cell]
    rows, head = [], []
    for prompts in sorted({cell["prompts"] for cell in cells}):
        here = [cell for cell in cells if cell["prompts"] == prompts]
        for kind, words in (("several", "means of eight pairs"), ("single", "one number per prompt")):
            for side in ("lower", "upper"):

                def said(found: list[Recorded], kind: str = kind, side: str = side) -> str:
                    values = [each[kind][side] for each in found]
                    return f"{share(_mean(values))} ({share(min(values))})"

                head, numbers = _by_zeros(here, said)
                rows.append([str(prompts), words, side, *numbers])
    return table(["prompts", "of", "bound", *head], rows, 3)


def coverage_of_differences() -> str:
    """Of systems of one shape, and of unequal ones."""
    cells = [cell for cell in recorded("coverage")["cells"] if "difference" in cell]
    rows, head = [], []
    for prompts in sorted({cell["prompts"] for cell in cells}):
        for unequal, words in ((False, "the same shape"), (True, "rare and far against often and little")):
            here = [
                cell
                for cell in cells
                if cell["prompts"] == prompts and (cell["shape"] == "rare against often") == unequal
            ]
            for what in ("two_sided", "width"):

                def said(found: list[Recorded], what: str = what) -> str:
                    return share(_mean(each["difference"][what] for each in found))

                head, numbers = _by_zeros(here, said)
                rows.append(
                    [str(prompts), words, "covered" if what == "two_sided" else "mean width", *numbers]
                )
    return table(["prompts", "systems of", "", *head], rows, 3)


def family() -> str:
    """Effects and orders that are not there, and those that are."""
    cells = recorded("family")["cells"]
    kinds = list(dict.fromkeys((cell["kind"], cell["zeros"]) for cell in cells))
    sizes = sorted({cell["prompts"] for cell in cells})
    by = {(cell["kind"], cell["zeros"], cell["prompts"]): cell for cell in cells}
    rows = []
    for kind, zeros in kinds:
        words = kind if zeros is None else f"{kind}, {_zeros(zeros)} zeros"
        here = [by[kind, zeros, n] for n in sizes]
        rows.append(
            [
                words,
                " / ".join(share(cell["effects_differ"]) for cell in here),
                " / ".join(share(cell["wrong_order"]) for cell in here),
            ]
        )
    higher = [by["one of six higher", None, n] for n in sizes]
    found = " / ".join(share(cell["last_differs"], 2) for cell in higher)
    order = " / ".join(share(cell["last_is_higher"], 2) for cell in higher)
    rows.append(["one of six higher by half: found", found, order])
    n = " / ".join(str(size) for size in sizes)
    return table(["systems", f"effects differ, n = {n}", "an order of means is stated"], rows)


def verdicts() -> str:
    """Right, wrong and open labels."""
    cells = recorded("verdicts")["cells"]
    sizes = sorted({cell["prompts"] for cell in cells})
    rows = []
    for kind in dict.fromkeys(cell["kind"] for cell in cells):
        here = [cell for cell in cells if cell["kind"] == kind]
        numbers = [
            " / ".join(share(cell[word], 2 if word != "wrong" else 3) for word in ("right", "wrong", "open"))
            for cell in here
        ]
        rows.append([kind, here[0]["right_label"], *numbers])
    return table(["system", "right", *(f"n = {n}" for n in sizes)], rows, 2)


def words() -> str:
    """The words of the axes: open, and wrong."""
    cells = recorded("verdicts")["cells"]
    sizes = sorted({cell["prompts"] for cell in cells})
    axes = list(cells[0]["words"])
    rows = []
    for kind in dict.fromkeys(cell["kind"] for cell in cells):
        for axis in axes:
            here = [cell for cell in cells if cell["kind"] == kind]
            if axis not in here[0]["wrong_words"]:
                continue
            numbers = [
                f"{share(cell['words'][axis].get('unclear', 0.0), 2)} / {share(cell['wrong_words'][axis])}"
                for cell in here
            ]
            rows.append([kind, axis, *numbers])
    return table(["system", "axis", *(f"n = {n}" for n in sizes)], rows, 2)


def noise() -> str:
    """How often edits are called more than noise."""
    cells = recorded("noise")["cells"]
    sizes = sorted({cell["prompts"] for cell in cells})
    rows = []
    for kind, zeros in dict.fromkeys((cell["kind"], cell["zeros"]) for cell in cells):
        here = [cell for cell in cells if (cell["kind"], cell["zeros"]) == (kind, zeros)]
        rows.append([kind, _zeros(zeros), *(share(cell["above"]) for cell in here)])
    return table(["a repetition moves the output", "zeros", *(f"n = {n}" for n in sizes)], rows, 2)


def detectable() -> str:
    """Power behind a printed detectable difference."""
    cells = recorded("power")["detectable"]
    rows = []
    for prompts in sorted({cell["prompts"] for cell in cells}):
        here = [cell for cell in cells if cell["prompts"] == prompts]
        rows.append(
            [
                str(prompts),
                *(
                    " / ".join(share(cell[name], 2) for name in ("printed", "same_prompts", "new_prompts"))
                    for cell in here
                ),
            ]
        )
    zeros = sorted({cell["zeros"] for cell in cells})
    return table(["prompts", *(_zeros(each) for each in zeros)], rows)


def equivalence() -> str:
    """Equal within the margin, where it is true and just not."""
    rows = [
        [str(cell["prompts"]), share(cell["equal"], 2), share(cell["at the margin"])]
        for cell in recorded("power")["equivalence"]
    ]
    return table(["prompts", "called equal: the same mean", "called equal: higher by the margin"], rows)


def sampled() -> str:
    """Rejections of the test of two sets of samples."""
    rows = [[cell["kind"], share(cell["rejected"])] for cell in recorded("sampled")["cells"]]
    return table(["what differs", "rejected at 0.05"], rows)


def designs() -> str:
    """Level, coverage, errors, power and verdicts, by design."""
    found = recorded("designs")
    cells = found["cells"]
    names = [name for name in found["systems"] if name != "as it is"]
    rows: list[list[str]] = [
        ["different prompts", *(str(cell["generations"]) for cell in cells)],
        ["base prompts", *(str(cell["prompts"]) for cell in cells)],
        ["harmless edits of a prompt", *(f"{cell['edits_per_prompt']:g}" for cell in cells)],
        ["error of a contrast of systems that do not differ", *(share(cell["level"]) for cell in cells)],
        ["error of a family of six of them", *(share(cell["family"]) for cell in cells)],
        ["coverage of means", *(share(cell["mean_covered"]) for cell in cells)],
        ["coverage of differences", *(share(cell["difference_covered"]) for cell in cells)],
    ]
    for name in names:
        rows.append(
            [
                f"standard error of the difference, {name} (by the components alone)",
                *(
                    f"{share(cell['errors'][name], 4)} ({share(found['stated_errors'][cell['design']][name])})"
                    for cell in cells
                ),
            ]
        )
        rows.append(
            [f"mean width of its interval, {name}", *(share(cell[f"width {name}"]) for cell in cells)]
        )
    rows += [
        [
            "4 bits found to differ: alone / of six contrasts",
            *(
                f"{share(cell['4 bits found alone'], 2)} / {share(cell['4 bits found of six'], 2)}"
                for cell in cells
            ),
        ],
    ]
    for name in names:
        right = found["systems"][name]["label"]
        rows.append(
            [
                f"verdict of {name}: {right} / another / open",
                *(_label_shares(cell, name, right) for cell in cells),
            ]
        )
    return table(["", *(f"`{cell['design']}`" for cell in cells)], rows)


def _label_shares(cell: Recorded, system: str, right: str) -> str:
    labels = cell["labels"][system]
    others = sum(value for label, value in labels.items() if label not in (right, "UNDETERMINED"))
    return " / ".join(
        share(value, 2) for value in (labels.get(right, 0.0), others, labels.get("UNDETERMINED", 0.0))
    )


def _real_runs() -> Recorded:
    found: Recorded = json.loads((RECORDED.parent / "real_runs.json").read_text(encoding="utf-8"))
    return found


def real_runs() -> str:
    """Means, differences and verdicts of a model and its rounded copies."""
    rows = []
    for subset, found in _real_runs().items():
        for system in found["systems"]:
            verdict = system.get("verdict")
            rows.append(
                [
                    f"`{subset}`, {found['prompts']} prompts",
                    system["system"],
                    "; ".join((verdict["words"], verdict["label"])) if verdict else "the reference",
                    str(found["generations"]),
                    _bounds(system["mean"]),
                    _bounds(system["difference"]) if verdict else "",
                    share(system["p_adjusted"], 4) if verdict else "",
                ]
            )
    head = ["subset", "system", "verdict", "generations", "harmless edits", "difference", "adjusted p"]
    return table(head, rows, 3)


def contrasts() -> str:
    """What the words stand on: one-sided 95 % bounds."""
    rows = []
    for subset, found in _real_runs().items():
        for system in found["systems"]:
            if "verdict" in system:
                numbers = [_bounds(each) for each in system["verdict"]["contrasts"].values()]
                rows.append([f"`{subset}`", system["system"], *numbers])
    some = next(
        system for found in _real_runs().values() for system in found["systems"] if "verdict" in system
    )
    return table(["subset", "system", *some["verdict"]["contrasts"]], rows, 2)


def components() -> str:
    """Variances of distances, and of differences from the model as it is."""
    rows = []
    for subset, found in _real_runs().items():
        for system in found["systems"]:
            for key, words in (("components", ""), ("components_of_difference", ", difference")):
                if each := system.get(key):
                    numbers = [
                        f"{each['between']:.4f}",
                        f"{each['within']:.4f}",
                        f"{each['correlation']:.2f}",
                    ]
                    zeros = _zeros(each["zeros"])
                    rows.append([f"`{subset}`", f"{system['system']}{words}", *numbers, zeros])
    head = ["subset", "distances of", "between prompts", "within", "intra-prompt correlation", "zeros"]
    return table(head, rows, 2)


def _bounds(numbers: list[float]) -> str:
    estimate, lower, upper = numbers
    return f"{estimate:.3f} [{lower:.3f}, {upper:.3f}]"


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


TABLES: dict[str, Callable[[], str]] = {
    "coverage of means": coverage_of_means,
    "coverage of bounds": coverage_of_bounds,
    "coverage of differences": coverage_of_differences,
    "family": family,
    "verdicts": verdicts,
    "words": words,
    "noise": noise,
    "detectable": detectable,
    "equivalence": equivalence,
    "sampled": sampled,
    "designs": designs,
    "real runs": real_runs,
    "contrasts": contrasts,
    "components": components,
}


def with_tables(text: str) -> str:
    """The page's text with every table as recorded."""

    def filled(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{MARK.format(name)}\n{TABLES[name]()}\n{END}"

    pattern = re.escape(MARK).replace(re.escape("{}"), "(?P<name>[^>]+)") + ".*?" + re.escape(END)
    return re.sub(pattern, filled, text, flags=re.DOTALL)


def write_page() -> None:
    """Put the recorded tables into docs/validation.md."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
