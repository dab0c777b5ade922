"""One question, from facts to a kept answer: gather, diagnose, write down."""

from __future__ import annotations

import secrets

from bot.diagnose import diagnose
from bot.gather import Desk, gather
from bot.model import Diagnosis, Question
from bot.ports import Ledger, Progress


async def investigate(question: Question, desk: Desk, ledger: Ledger, progress: Progress) -> Diagnosis:
    """Answer a question and keep the answer with its evidence, so that it can be replayed."""
    evidence = await gather(question, desk, progress)
    diagnosis = diagnose(evidence, new_id())
    await ledger.save(diagnosis, evidence, question.asked_by)
    return diagnosis


def new_id() -> str:
    """Short enough to read out, long enough never to repeat."""
    return secrets.token_hex(8)
