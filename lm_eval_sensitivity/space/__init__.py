"""The explorer of exported results: one page as a pure function of results and address.

    app.py               The server: one gr.HTML whose content comes from `page.render`
    axes_drawing.py      The drawing of two axes: marks with their intervals, names beside them
    branching.py         How the two outputs of a pair part, step by step: which characters each step says
    branching_charts.py  The two drawings under a pair: edits between the outputs after each step
    choices.py           What a reader can choose in the forms of the views, made from what the results hold
    citation.py          How to cite the package; `CITATION.cff` in the repository has the same
    differences.py       What two texts have in common and what not, word by word, for readers
    downloads.py         What the views show as files: the documents of the commands, in their own forms
    files_to_publish.py  The Space that shows published results: its files, and what its settings must say
    head.py              What a link to the page shows elsewhere, and what stands there without JavaScript
    hub.py               Results on the Hugging Face Hub: a dataset at one commit, fetched by the fixed names
    metric_page.py       A metric of the library `evaluate` as a page: its own widget does not start on Gradio 6
    page.py              The page: HTML as a pure function of results and address
    pieces.py            Texts in pieces that are marked up: what an edit changed, what a step says, always
    query.py             The address of a page: typed access to its values, complaints on wrong ones
    rungs.py             The rungs of the ladder in words, for readers who have not seen one
    search.py            A text searched for in the prompts and outputs of a system
    svg.py               Scales and ticks of the small drawings; the templates draw
    texts.py             Strangers' texts made visible: what cannot be seen
    view.py              What a view gives to the page: its heading, its template, and the values
    words.py             Values of an address in words
    learn/               The lesson
    pages/

Only `space.app` and `space.metric_page` import gradio, so everything else can be used and tested without it.
"""

from __future__ import annotations

from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View

__all__ = ["Query", "View"]
