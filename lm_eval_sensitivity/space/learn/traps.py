"""Eight findings that look like one thing and are another. A lesson: nothing here is about a real system."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trap:
    """One look-alike."""

    picture: str
    """Name of its drawing, a macro in templates/learn_pictures.html."""
    drawing: str
    """What the drawing shows, for those who do not see it."""
    name: str
    looks: str
    """What a reader would see."""
    really: str
    """What it is."""
    noticed: str
    """What these pages show, so that it is noticed."""
    view: str
    """Where that can be seen."""


TRAPS = (
    Trap(
        "erased_edit",
        "Two prompts, one with an extra mark, enter a box. Two lines without any mark leave it.",
        "The edit that never arrived",
        "A system that does not move at all under spaces at the edge of a prompt: a distance of exactly 0.",
        "Its chat template or its tokenizer removed the space. The model read the same tokens twice, so it was "
        "never tested with this edit.",
        "The token ids of both prompts are compared. If they are equal, the pair is counted as erased and has no "
        "distance, and the number of erased pairs stands beside every mean.",
        "heatmap",
    ),
    Trap(
        "scaffold",
        "Two bars. Their long first parts are the same, their short last parts are not.",
        "The scaffold around the answer",
        "Two outputs that are nearly the same, or that seem to part only after many words.",
        "Both begin with the same formula of a reasoning section. The long shared opening hides how far the "
        "answers behind it have moved. Where the opening varies, it does the opposite.",
        "Every text measure exists twice: raw is the whole output, answer is what follows the scaffold. An output "
        "that never reaches its answer has none, and is counted as not scored.",
        "length",
    ),
    Trap(
        "collapse",
        "Three different shapes go in. The same circle comes out three times.",
        "The system that always says the same",
        "The smallest distances of all under harmless edits.",
        "The system gives nearly the same text to whatever it is asked. It cannot be moved by an edit, because it "
        "is not moved by the request either.",
        "Each harmless distance stands beside the positive control, where the outputs must move because another "
        "thing was asked for. A system that stays put there is called collapsed, or, where there is no reference, "
        "collapsed or indiscriminate.",
        "axes",
    ),
    Trap(
        "confident",
        "Two bar charts, each with one bar far above the others, but not the same bar.",
        "Confident, and unstable all the same",
        "A system that gives nearly all probability to the token it chooses.",
        "Confidence belongs to one prompt and one step. For the edited prompt the system may be just as sure of "
        "another token, and twenty tokens later it may be undecided between two.",
        "The view of one pair shows the margin of the chosen token at every step, on both sides, with the place where "
        "the outputs part.",
        "pairs",
    ),
    Trap(
        "noise",
        "Two bars of equal height, with a dashed line at their top.",
        "Noise taken for sensitivity",
        "A small mean distance under harmless edits, clearly above 0.",
        "The system also moves that much when the very same prompt is generated a second time, in another batch. "
        "Then the edit need not have done anything.",
        "The identical rung is exactly this second generation. Its mean is the noise floor, in the same unit, "
        "beside each mean.",
        "clusters",
    ),
    Trap(
        "stale",
        "Two systems. Both outputs come out of the same store, which only the first has filled.",
        "Answers from a cache",
        "A second system with the same outputs as the first, to the last character, and a drift of 0.",
        "It was never asked. A cache that knows requests but not systems has handed out the first one's answers.",
        "Every system carries a fingerprint of its weights, tokenizer and settings, and this package's store of "
        "answers is keyed by it. Two different fingerprints with a drift of exactly 0 on all prompts deserve a "
        "second look.",
        "axes",
    ),
    Trap(
        "responsive",
        "Two pairs of bars. In the second pair both bars are higher, and the gap between them as well.",
        "Responsive is not fragile",
        "One system that moves more under harmless edits than another.",
        "It may move more under everything, and most under real changes of meaning: it reads more closely. "
        "Fragile would be to move as much for a comma as for another topic.",
        "The distance under harmless edits stands beside that under the positive control, and the verdict has two "
        "words for the two cases: responsive and indiscriminate.",
        "axes",
    ),
    Trap(
        "attractors",
        "Two heaps of dots on a line, one at each end. A dashed line marks the mean in the empty middle.",
        "Two answers, and a mean between them",
        "A mean distance of middling size, as if every edit moved the output a little.",
        "Some edits do nothing at all, and the others tip the output into one other answer, far away. No pair has "
        "the distance that the mean names.",
        "The list of pairs has the distance of every single pair, and every edit has its own cell in the view of all "
        "edits.",
        "pairs",
    ),
)
