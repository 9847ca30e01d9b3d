"""English word lists for the edits that must tell words apart."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBER_WORDS = _words(
    """
    one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty
    seventy eighty ninety hundred thousand million billion half both several
    """
)

FUNCTION_WORDS = NUMBER_WORDS | _words(
    """
    a an the this that these those each every either neither all any some such own other
    another same i me my mine myself we us our ours ourselves you your yours yourself he him his
    himself she her hers herself it its itself they them their theirs themselves who whom whose
    which what someone somebody something anyone anybody anything everyone everybody everything
    nobody nothing none ones when where why how whether while until till since because although
    though unless than then once if as so and or but nor yet also too about above across after
    against along among around at before behind below beneath beside between beyond by despite down
    during except for from in inside into like near of off on onto out outside over past per through
    throughout to toward towards under up upon via with within without am is are was were be been
    being do does did done doing have has had having will would shall should can could may might
    must ought let lets need needs not no never only just even still already almost again ever here
    there now always often sometimes usually rather quite very more most less least much many few
    fewer enough long well instead else please zero twice first second third last next
    """
)
"""Words that are never put in parentheses, in lower case.

Besides function words in the narrow sense: negations and limits (`not`, `only`), quantities and number
words, because in parentheses these may read as withdrawn and change the request.
"""

ARTICLES = _words("a an the my your his her its our their this these those some another other")
"""Words that open a noun phrase and do not count."""

LIMITING_WORDS = _words(
    """
    only not no never nor neither none nobody nothing anything anybody anyone any without exactly just
    cannot hardly barely least most precisely merely even
    """
)
"""Negations and limits: a word in parentheses right after one might read as withdrawn from it."""

CLAUSE_WORDS = _words(
    """
    and but or nor so yet because although though while whereas if unless until when where which who
    whose that then since after before as
    """
)
"""Words that open a clause after a comma. In a list of three (`a, b, and c`) they follow a comma too; a line
break is harmless there as well."""

ABBREVIATIONS = _words(
    """
    approx art capt cf ch col dec dept dr ed eds eg etc feb fig figs gen gov ie inc jan jr lt ltd mr
    mrs ms mt no nos nov nr oct op p pp prof ref rev sen sept sgt sr st vol vs
    """
)
"""Words whose period does not end a sentence, in lower case without the period."""

DANGLING_WORDS = _words(
    """
    a an the my your his her its our their this these those of in to for with from by at on into onto
    than and or but nor if as because although while whereas that which who whose when where is are
    was were be been being am has have had do does did can could will would shall should may might
    must not very called named
    """
)
"""Words after which an English sentence is not finished, so that a prompt ending in one asks to be
continued."""

ARITHMETIC_WORDS = _words(
    """
    add calculate compute difference equals equation evaluate expression formula minus multiply plus
    simplify solve subtract sum times total
    """
)
"""Words near which a spaced hyphen may be a minus sign."""

DETERMINERS = {
    **dict.fromkeys(("a", "an"), "a"),
    **dict.fromkeys(("my", "your", "his", "her", "its", "our", "their"), "my"),
    **dict.fromkeys(("this", "these", "those"), "this"),
    **dict.fromkeys(NUMBER_WORDS, "number"),
    **{word: word for word in ("the", "some", "any", "each", "every", "no", "all", "another", "other")},
}
"""Words that open a noun phrase, and for each its kind: the items of one list open with the same."""

OPENING_WORDS = _words(
    """
    above according across additionally after afterwards against ahead along alongside also although
    always among anyway apart around as aside at back based because before behind below beneath beside
    besides between beyond both by clearly concerning considering consequently contrary dear despite due
    during each early either even eventually every except finally first following for fortunately from
    further furthermore generally given good hello hence hey hi hopefully how however if in indeed inside
    instead into last late lately later like long many meanwhile moreover near neither never nevertheless
    next no nonetheless not now obviously off often on once one only onto oops opposite or other otherwise
    out outside over overall perhaps per please prior provided rather regarding regardless sadly second
    several similarly since so some sometimes soon sorry still than thank thanks that there therefore
    these third this those though through throughout thus to today together tomorrow tonight toward
    towards two under underneath unfortunately unless unlike until up upon usually via well what whatever
    when whenever where whereas wherever whether which while who with within without yes yesterday yet
    """
)
"""Words that open a phrase before the main clause. Its comma (`In winter, cats and dogs sleep`) is
not one of a list."""

CLOSING_WORDS = _words(
    """
    afternoon ago century day evening everyone hour morning month night please second sir summer time
    today tomorrow tonight weekend week winter year yesterday madam friend friends folks guys team
    aside however though too
    """
)
"""Words after which a comma closes such a phrase or an address instead of continuing a list."""

SUMMARY_WORDS = _words(
    """
    activities aims alternative animal animals answer approach approaches area areas aspect aspects
    band books breakfast brothers candidates categories category characters child children choice
    choices cities city class classes clothing colors colours combination combo companies company
    comparison components concepts connection contrast countries country couple criteria cuisine
    cultures data desserts difference differences dinner dish dishes drink drinks duo effects elements
    equipment event events examples factors families family features feelings fields figures flavours
    food foods form forms fruit fruits fuel furniture gear genre genres goals goods group groups herbs
    hobbies hobby ideas industries ingredients instruments issues item items jobs kids kinds lands
    language languages leaders lunch material materials meal meals meat media members men menu metal
    metals methods mix mixture models money music name names nations operations opposites options
    option pair parents parts partners people person pet pets phases pieces places planets plants
    players points problem problems produce products properties purposes qualities quality reasons
    relationship relatives results roles rooms rules school science sciences seasons seasoning senses
    set sets shapes siblings sides side sisters skills snack snacks species spices sport sports stages
    states steps stuff subject subjects symptoms tasks team teams terms themes theme thing things
    title tools topic topics traits trio twins types units values vegetable vegetables vehicles ways
    way weather women words
    """
)
"""Nouns that the pair after them may spell out (`my parents, Anna and Ben`) instead of adding to them."""

REFERRING_WORDS = _words("both either following neither such them these they those")
"""Words that the pair at the end of a sentence may spell out (`How do they differ, tea and coffee?`)."""

MANNER_WORDS = _words(
    """
    angry bad big brief calm casual cheap clean clear cold concise cool dark deep detailed dry
    easy fast formal friendly fun funny gentle good happy hard healthy honest hot informal kind large
    light little long loud neat new nice old plain polite precise quick quiet rich sad serious sharp
    short silly simple slow small soft spicy strong sweet tall thick thin warm weak wet young
    """
)
"""Adjectives that also follow a noun after a comma (`Write a story, short and sad`)."""

PAIRED_WORDS = frozenset(
    tuple(pair.split("-"))
    for pair in _words(
        """
        back-forth black-white bread-butter brother-sister cause-effect day-night fact-fiction fish-chips
        fun-games husband-wife ladies-gentlemen left-right life-death love-hate male-female men-women
        mother-father mum-dad mom-dad name-address peace-quiet pen-paper pros-cons questions-answers
        right-wrong salt-pepper sir-madam strengths-weaknesses supply-demand trial-error true-false
        ups-downs yes-no
        """
    )
)
"""Words that make one expression with `and` or `or`."""

LINKING_WORDS = _words("of for in with from to on at by about into without during after before")
"""Prepositions that go on after the last item of a list."""

PLACE_WORDS = _words("in from to at near into through via around outside inside")
"""Prepositions before a place, whose comma may name where it lies (`in Dallas, Texas and Rome`)."""

REGIONS = _words(
    """
    alabama alaska argentina arizona arkansas australia austria bavaria belgium brazil california canada
    chile china colombia colorado connecticut cuba delaware denmark egypt england ethiopia finland florida
    france georgia germany ghana greece hawaii hungary idaho illinois india indiana indonesia iowa iran
    iraq ireland israel italy jamaica japan kansas kentucky kenya louisiana maine maryland massachusetts
    mexico michigan minnesota mississippi missouri montana morocco nebraska netherlands nevada nigeria
    norway ohio oklahoma ontario oregon pakistan pennsylvania peru poland portugal quebec romania russia
    scotland spain sweden switzerland tennessee texas thailand turkey ukraine utah vermont vietnam
    virginia wales washington wisconsin wyoming
    """
)
"""Countries and states that follow the name of a town after a comma (`Paris, France and London`)."""

PLURALS_WITHOUT_S = _words("people children men women feet teeth mice geese")

CONTRACTIONS = _words(
    """
    ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't
    shan't shouldn't wasn't weren't won't wouldn't could've should've would've i've they've we've you've
    i'm they're you're they'd you'd it'd it'll that'll they'll you'll here's that's there's what's it's
    """
)
"""Contractions that lose their apostrophe without becoming another word, in lower case.

Left out are I'll, he'll, she'll, we'll, we're, I'd, he'd, she'd, we'd, let's, who's (`whose`), and, in the
plural, he's, she's, how's and where's. `cant` and `wont` are words too, but rare ones, which never stand
where an auxiliary does. `its` is not rare: the edit looks at what follows.
"""


def looks_english(text: str) -> bool:
    """Whether at least one word in five is an English function word.

    Plain English stands above one in three; German or French texts, which share a few of these
    spellings, stay below one in five.

    Returns:
        False also for a text without words.

    Example:
        >>> looks_english("Write a short story about the sea."), looks_english("Schreibe eine Geschichte.")
        (True, False)
    """
    words = [word.strip(".,;:?!()\"'“”") for word in text.lower().split()]
    return 5 * sum(word in FUNCTION_WORDS for word in words) >= len(words) > 0
