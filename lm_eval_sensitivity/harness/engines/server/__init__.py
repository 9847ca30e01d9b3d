"""Parts of the engine for OpenAI-compatible servers.

answer.py      What one answer says, whatever the dialect: text, tokens, log-probabilities, counts
client.py      Requests that are repeated where that helps, several at a time
echo.py        Whether a server scores given texts rightly: asked once, before multiple choice
first_look.py  One request that shows what a server gives, and what will be missing
prompt_ids.py  The token ids of a prompt, from whoever can tell them
traced.py      From an answer to an output with its trace
"""
