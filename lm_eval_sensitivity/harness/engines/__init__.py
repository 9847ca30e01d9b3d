"""Engines: what turns a plan of prompts into outputs.

assemble.py     From outputs back to requests: each with its views, the audit of its pair
batches.py      Work off many generations in batches: with a progress bar, resumable
contract.py     What an engine is: who it is, how it reads a prompt, and which channels it gives
cost.py         What a run will ask of a server, before the first request
huggingface.py  The engine for `--model hf`: it shows its inside, in the pass that makes the text
identity.py     What tells a model that cannot be looked into from another: what the user asked for
openai_completions.py  The engine for OpenAI-compatible servers
ranks.py        What the processes of one run tell each other
registry.py     Which engine serves which lm_eval model
run.py          What all engines share: from requests to generations, whatever makes the outputs
text.py         Engines of which nothing is known but their answers
vllm_causallms.py  The engine for `--model vllm`: token ids and leading log-probabilities
hf/             Parts of the engine for transformers models: one pass gives text, token ids, logits
server/         Parts of the engine for OpenAI-compatible servers
"""
