"""Branch cards: one card for each place where two outputs part, with what was tried on it and what must be held
against it.

    selection.py      which branches
    positions.py      which position of one run corresponds to which of the other
    measure.py        draws branches and makes a card of each; build.py: one card; branch.py: what both runs see there
    patching.py       states of one run in another; controls.py: changes that should do nothing; forced.py: one token
    card.py           the record `branchcard/1`; rescue.py: what is worked out from the passes; summary.py: counts
    files.py          cards as files; page.py: as pages; check.py: made again and compared; reading.py: in words
    finding.py        what the probe leaves; document.py, picture.py: what is said and drawn of it
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lm_eval_sensitivity.probes.cards.document import document
from lm_eval_sensitivity.probes.cards.finding import CardsFinding, CardsSettings
from lm_eval_sensitivity.probes.cards.page import write_cards
from lm_eval_sensitivity.probes.cards.picture import picture
from lm_eval_sensitivity.probes.cards.reading import NOT_TO_BE_READ_AS
from lm_eval_sensitivity.probes.catalogue import Probe

if TYPE_CHECKING:
    from lm_eval_sensitivity.probes.outputs import RunOutputs
    from lm_eval_sensitivity.probes.replay import Replay
    from lm_eval_sensitivity.report.blocks import Document


def _check(path: Path, replay: Replay, outputs: RunOutputs) -> tuple[Document, bool]:
    from lm_eval_sensitivity.probes.cards.check import check_card

    return check_card(path, replay, outputs)


PROBE = Probe(
    name="cards",
    words="a card for each of some branches: which copied state undoes it, and which random one does, too",
    title="Branch cards",
    finding=CardsFinding,
    settings=CardsSettings,
    document=document,
    picture=picture,
    not_to_be_read_as=NOT_TO_BE_READ_AS,
    write=write_cards,
    check=_check,
)
