"""Passages about unrelated things, in phrases no two of which are equal: one phrase will be one token.

A sentence embedder sees passages on different topics as far apart, and passages of one topic as near, which is what a
trap needs to know beforehand.
"""

from __future__ import annotations

import re
from itertools import product

WORDS = """
rivers: the river, a spring flood, the delta, the current, a tributary, the estuary
    carries, deposits, erodes, drowns, shapes
    silt and gravel, the muddy bank, reeds and willows, the flood plain, fertile clay, the old weir
bread: the baker, a sourdough starter, the oven, the kneaded dough, fresh yeast, the flour
    browns, lifts, softens, sours, fills
    the crust, a rye loaf, warm rolls, the crumb, a floured basket, the baking stone
chess: the white queen, a passed pawn, the bishop, the grandmaster, a rook, the endgame
    attacks, pins, defends, sacrifices, exchanges
    the open file, a weak square, the castled king, the center pawns, the long diagonal, material
stars: a red giant, the telescope, the galaxy, a supernova, the astronomer, a neutron star
    emits, observes, bends, scatters, outshines
    faint light, the nebula, hot plasma, gravitational waves, the night sky, distant quasars
law: the judge, a defendant, the statute, the court of appeal, a witness, the jury
    dismisses, reviews, denies, contests, grants
    the verdict, a motion, the contract clause, bail, the testimony, damages
whales: the humpback whale, a calf, the pod, the blubber, an orca, the krill swarm
    follows, sings to, feeds, circles, leaves
    the cold current, its mother, the polar sea, a breeding ground, the ice edge, deep water
trains: the locomotive, a signal box, the conductor, the night express, a freight wagon, the platform
    departs for, connects, delays, couples, crosses
    the junction, the mountain tunnel, the timetable, steel rails, the terminus, a viaduct
vaccines: the vaccine, an antibody, the immune system, a booster dose, the virus, the clinic
    recognizes, neutralises, triggers, prevents, trains
    memory cells, the infection, a mild fever, spike proteins, the outbreak, severe disease
violins: the violinist, a bow, the string quartet, the luthier, a cadenza, the concert hall
    tunes, answers, sustains, varnishes, echoes
    the second theme, spruce and maple, a long trill, the cello line, the slow movement, the melody
compilers: the compiler, a syntax tree, the linker, the register allocator, a debugger, the source file
    parses, inlines, rejects, optimizes, emits code for
    the loop body, an undefined symbol, the function call, a null pointer, the type error, bytecode
gardens: the gardener, a rose bush, the compost, the greenhouse, an apple tree, the lawn
    shades, nourishes, prunes, shelters, waters
    the tulip bulbs, ripe tomatoes, the herb bed, young seedlings, the hedge, bees and beetles
money: the central bank, an investor, the bond market, inflation, a pension fund, the treasury
    raises, hedges, erodes slowly, borrows against, taxes
    the interest rate, household savings, share prices, the budget deficit, wages, a mortgage
"""
TOPICS: dict[str, tuple[tuple[str, ...], ...]] = {
    topic: tuple(tuple(each.strip().split(", ")) for each in words.split("\n    "))
    for topic, words in (entry.split(": ", 1) for entry in re.split(r"\n(?=\w)", WORDS.strip()))
}
"""Topic -> subjects, verbs, objects."""


def passage(topic: str, n_phrases: int, *, skip: int = 0) -> list[str]:
    """Distinct phrases on one topic; equal arguments give equal passages.

    Args:
        topic: a key of `TOPICS`.
        n_phrases: how many.
        skip: phrases to leave out first, for another passage on the same topic.
    """
    subjects, verbs, objects = TOPICS[topic]
    every = [*subjects, *objects]
    for first, second in ((subjects, verbs), (verbs, objects), (subjects, objects)):
        every += [f"{one} {other}" for one, other in product(first, second)]
    # A stride that shares no factor with the length walks through all of them and mixes their parts.
    walked = [f" {every[(index * 41) % len(every)]}," for index in range(len(every))]
    if skip + n_phrases > len(walked):
        raise ValueError(f"{topic} has {len(walked)} phrases, wanted {skip} + {n_phrases}")
    return walked[skip : skip + n_phrases]


def sentences(topic: str) -> list[str]:
    """All 180 sentences of a topic, for answers that are longer than a passage."""
    every = [" ".join(parts) for parts in product(*TOPICS[topic])]
    return [f" {every[(index * 41) % len(every)]}." for index in range(len(every))]


OPENINGS = "let me first consider, it is worth recalling, I should check, before anything else I note"
MATTERS = (
    "what exactly is being asked, which assumptions are hidden here, how careful a reader would be, whether "
    "the wording matters, what a good answer must contain, which details can be left out, how long the reply "
    "ought to be, what could be misunderstood, whether an example would help, which order is the clearest, "
    "what is already known, how certain I can be, whether the premise holds, what the next step is"
)
PREAMBLE = [f" {opening} {matter}," for opening in OPENINGS.split(", ") for matter in MATTERS.split(", ")]
"""56 phrases of reasoning that say nothing about any prompt."""
