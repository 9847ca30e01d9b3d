"""What happens inside a model while it is fed what it said: replay, and the probes that read it.

    outputs.py        outputs of a run, as they are replayed
    replay.py         one teacher-forced pass; architecture.py: where a model's parts are; upcast.py: float32 arithmetic
    catalogue.py      what a probe is: one folder each, with its finding, measure, document and picture
    probing.py        from a loaded model and a run's outputs to a result; result.py: what it holds; files.py: on disk
    edits.py          which variants are looked at
    continuing.py     greedy continuations of chosen tokens
    numbers.py        means, quantiles and ranks of numbers of which some are missing
    columns.py        a number for each prompt as a column of the pairs table
    document.py       what is said of a result, whatever the probe
    stretch/          growth of the residual and of a small disturbance, layer by layer
    boundary/         close decisions: how many, how predictable, and what gives way where outputs part
    radius/           how far a state can move before the next-token distribution changes
    trajectory/       how unsteadily the final states turn; several systems: where differences come from
    recover/          what a push inside does to the state and to the text
    cards/            a card for each branch: which state undoes it when it is copied, and what else does
    bits/             a model beside itself with fewer bits: perplexity, drift, and the widths that keep them

Only what a `measure` imports may import torch.
"""
