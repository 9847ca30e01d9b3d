"""Parts of the engine for transformers models: one pass gives text, token ids, logits and hidden states.

decoder.py   Decode one batch with a transformers model: one pass gives text, ids, logits
facts.py     What makes one system different from another, gathered from a loaded HFLM
greedy.py    Greedy must mean greedy: neutralize every generation setting that bends the argmax
ranks.py     What the processes of a run tell each other
recorder.py  Record one batch while it is generated: no second pass, no history of logits or hidden states
sampler.py   Exact ancestral sampling whose random stream belongs to a sample and to nothing else
weights.py   What weights in memory look like, summed up exactly and cheaply on the device they live on
"""
