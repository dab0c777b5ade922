"""One question, from facts to a kept answer: gather, judge, write down."""

from __future__ import annotations

import asyncio
import secrets

from bot.diagnose import diagnose
from bot.gather import Desk, gather
from bot.model import Diagnosis, Evidence, Question, SubjectKind
from bot.ports import Ledger, Progress
from bot.subject_reading import gather_subject
from bot.subjects import judge


async def investigate(question: Question, desk: Desk, ledger: Ledger, progress: Progress) -> Diagnosis:
    """Answer a question and keep the answer with its evidence, so that it can be replayed."""
    evidence, diagnosis = await _answer(question, desk, progress)
    await ledger.save(diagnosis, evidence, question.asked_by)
    return diagnosis


async def _answer(question: Question, desk: Desk, progress: Progress) -> tuple[Evidence, Diagnosis]:
    if question.subject.kind is SubjectKind.PACKAGE:
        evidence = await gather(question, desk, progress)
        return evidence, diagnose(evidence, new_id())
    evidence = await gather_subject(question, desk, progress)
    # fifty packages take long enough to be felt by whoever else is waiting
    return evidence, await asyncio.to_thread(judge, evidence, new_id())


def new_id() -> str:
    """Short enough to read out, long enough never to repeat."""
    return secrets.token_hex(8)
