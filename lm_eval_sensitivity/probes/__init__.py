"""What happens inside a model while it is fed what it said: replay, and the probes that read it.

    replay.py         one teacher-forced pass; architecture.py: where its parts are
    outputs.py        what a run's outputs are replayed from
    catalogue.py      what a probe is: one folder each, with measure, finding, document and picture
    result.py         what a probe found, as it is kept

Only files that a `measure` imports may import torch.
"""
