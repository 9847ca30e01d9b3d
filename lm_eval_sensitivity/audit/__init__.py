"""Audit: did the edit survive chat template and tokenizer? An erased edit says nothing about the model.

encode.py  Prompts to token ids without weights, the way `--model hf` would feed them
pair.py    Did an edit reach the model? A pair is judged by the token ids it is really fed as
table.py   The edit x tokenizer table: how many pairs of each edit reach the ids of each tokenizer
"""

from __future__ import annotations

from lm_eval_sensitivity.audit.encode import PromptEncoder, load_encoder, user_token_span
from lm_eval_sensitivity.audit.pair import UNKNOWN, AuditStatus, PairAudit, audit_pair
from lm_eval_sensitivity.audit.table import SurvivalRow, survival_rows

__all__ = [
    "UNKNOWN",
    "AuditStatus",
    "PairAudit",
    "PromptEncoder",
    "SurvivalRow",
    "audit_pair",
    "load_encoder",
    "survival_rows",
    "user_token_span",
]
