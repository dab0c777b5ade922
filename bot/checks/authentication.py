"""Authentication: can the bot see this license at all, and do METRC's refusals come from a key or a right?

Recognised by the ladder, never by one answer: METRC says 401 for a dead key, a missing right, a foreign license and an
unknown label alike. So: does the key open the list of facilities; is the license on it; does each family of records
answer; and do unrelated keys fail in the same minute (then it is METRC, not the key).

Do: fix the key, the right or the license; during an outage wait. Never: renew a key on a guess, because making a new
one kills the old one at once everywhere.
"""

from __future__ import annotations

from datetime import datetime

from bot.case import Case, ago, clear, found, quote, unknown
from bot.errors import Problem
from bot.labels import edits
from bot.model import (
    Access,
    Action,
    ActionKind,
    Cause,
    CheckName,
    Confidence,
    Facility,
    Finding,
    Forbidden,
    Outcome,
    Probe,
    Quote,
)
from bot.numbers import bare
from bot.posting import Fate, PostedSale
from bot.refusals import Blame, blame

NAME = CheckName.AUTHENTICATION


def check(case: Case) -> Outcome:
    """Judge the ladder's readings."""
    access = case.evidence.access
    gate = _silent(access) or _dead_key(access) or _license(case) or _rights(case)
    if gate is not None:
        return gate
    told = (_refused_posts(case), _ended(case), _other_license(case))
    findings = [finding for finding in told if finding is not None]
    if findings:
        return found(NAME, findings, *_facts(case))
    failed = [probe for probe in access.probes if not probe.reading.was_read]
    if failed:
        names = " and ".join(probe.family for probe in failed)
        return unknown(NAME, f"The key works, but {names} could not be read.", *_facts(case))
    if access.facilities.problem is not None:
        says = "The key works, but its list of licenses could not be read: whether this one still holds is not known."
        return unknown(NAME, says, *_facts(case))
    return clear(NAME, _what_works(case), *_facts(case))


def _what_works(case: Case) -> str:
    """When the key worked, what it opened, and as of when its user's rights are known."""
    access = case.evidence.access
    worked = (
        f"The key worked {_since(case, access.facilities.as_of)}" if access.facilities.was_read else "The key works"
    )
    families = " and ".join(probe.family for probe in access.probes) or "the list of facilities"
    return f"{worked} and may read {families}; {_rights_told(case)}; writing is unproven."


def _rights_told(case: Case) -> str:
    rights = case.evidence.access.rights
    if rights is None:
        return "its rights were not asked for"
    return f"its rights were read {_since(case, rights.as_of)}" if rights.was_read else "its rights could not be read"


def _since(case: Case, at: datetime | None) -> str:
    return f"{ago(case.now - at)} ago" if at is not None else "for this question"


def _silent(access: Access) -> Outcome | None:
    """METRC itself is not answering, or let nothing be read at all."""
    problems = _problems(access)
    if _anything_read(access) or not problems or _refused_alone(access):
        return None
    down = [problem for problem in problems if problem.kind.is_outage]
    if down:
        return _closing(_outage(access, down[0]), access)
    if all(problem.kind.is_refusal for problem in problems):
        return None
    summary = f"METRC let nothing be read: {problems[0].says}"
    outcome = unknown(NAME, summary, *_quotes(access))
    return Outcome(outcome.name, outcome.result, summary, evidence=outcome.evidence, closes=True)


def _refused_alone(access: Access) -> bool:
    """The front door answers unrelated keys and refuses ours: errors behind it do not clear the key."""
    problem = access.facilities.problem
    refused = problem is not None and problem.kind.is_refusal
    return refused and any(probe.reading.was_read for probe in access.other_keys)


def _outage(access: Access, problem: Problem) -> Finding:
    return Finding(
        code="outage.metrc-down",
        cause=Cause.OUTAGE,
        headline="METRC is not answering. Nothing about this package can be told until it does.",
        action=Action(
            ActionKind.RETRY_LATER,
            "Ask again when METRC answers. Note late sales as your state's outage notice says; change nothing meanwhile.",
        ),
        evidence=(Quote("metrc", access.facilities.asked, access.facilities.as_of, problem.says),),
        must_not=(Forbidden.RENEW_KEY, Forbidden.RESEND),
        confidence=Confidence.LIKELY,
    )


def _dead_key(access: Access) -> Outcome | None:
    """The first rung is refused and no other call succeeds."""
    problem = access.facilities.problem
    if problem is None or not problem.kind.is_refusal or any(probe.reading.was_read for probe in access.probes):
        return None
    others_work = [probe for probe in access.other_keys if probe.reading.was_read]
    if others_work:
        return _closing(_user_key(others_work[0]), access)
    if access.other_keys:
        return _closing(_vendor_key(access), access)
    return _closing(_some_key(), access)


def _user_key(witness: Probe) -> Finding:
    return Finding(
        code="authentication.user-key",
        cause=Cause.AUTHENTICATION,
        headline="METRC refuses this shop's user key. Every package looks missing until it is replaced.",
        action=Action(
            ActionKind.FIX_KEY,
            "Put the user's present METRC key into this bot and every system that uses it; somebody may have made a new "
            "one. Then resend what failed meanwhile.",
        ),
        evidence=(quote(witness.reading, f"the same software key works with the user key of {witness.family}"),),
    )


def _vendor_key(access: Access) -> Finding:
    return Finding(
        code="authentication.vendor-key",
        cause=Cause.AUTHENTICATION,
        headline=f"METRC refuses the software (vendor) key: {len(access.other_keys) + 1} unrelated user keys fail with it.",
        action=Action(
            ActionKind.FIX_KEY, "Check the software key in Metrc Connect. The shops' user keys are probably fine."
        ),
        must_not=(Forbidden.RENEW_KEY,),
        confidence=Confidence.LIKELY,
    )


def _some_key() -> Finding:
    return Finding(
        code="authentication.key-refused",
        cause=Cause.AUTHENTICATION,
        headline="METRC refuses this key pair for everything. Every package looks missing until that is mended.",
        action=Action(
            ActionKind.FIX_KEY,
            "Compare both keys with METRC: the user key under the user's API keys, the software key in Metrc Connect. "
            "If somebody made a new user key, put that one into every system that uses it. If neither changed, compare the "
            "host: a key of another state or of the sandbox is refused just like this. Make no new key before that.",
        ),
        confidence=Confidence.LIKELY,
    )


def _license(case: Case) -> Outcome | None:
    """The key lives, but not for this license."""
    access = case.evidence.access
    facilities = access.facilities.value
    if facilities is None or any(probe.reading.was_read for probe in access.probes):
        return None
    wanted = case.evidence.shop.license
    if all(facility.license != wanted for facility in facilities):
        return _closing(_not_on_key(case, facilities), access)
    ended = _ended(case)
    return _closing(ended, access) if ended is not None else None


def _not_on_key(case: Case, facilities: tuple[Facility, ...]) -> Finding:
    wanted = case.evidence.shop.license
    near = [f.license for f in facilities if _alike(wanted, f.license)]
    said = quote(case.evidence.access.facilities, f"this key sees {_licenses(facilities)}")
    if near:
        return Finding(
            code="wrong_license.mistyped",
            cause=Cause.WRONG_LICENSE,
            headline=f"License {wanted} is not on this key; {near[0]} is. One of them is mistyped.",
            action=Action(
                ActionKind.FIX_LICENSE, f"If this shop is {near[0]}, correct the license number and sync again."
            ),
            evidence=(said,),
            confidence=Confidence.LIKELY,
        )
    return Finding(
        code="wrong_license.not-on-key",
        cause=Cause.WRONG_LICENSE,
        headline=f"This key does not reach license {wanted}, so all its packages look missing.",
        action=Action(
            ActionKind.FIX_LICENSE,
            f"Have the owner add this METRC user to {wanted}, or use a key of somebody who works there. Then sync.",
        ),
        evidence=(said,),
    )


def _ended(case: Case) -> Finding | None:
    """METRC lists the license with an end that has passed, whether it still answers for it or not."""
    shop, listed = case.evidence.shop, case.evidence.access.facilities.value or ()
    own = next((facility for facility in listed if facility.license == shop.license), None)
    if own is None or own.license_ends_on is None or own.license_ends_on >= case.day(case.now):
        return None
    return _lapsed(case, own)


def _lapsed(case: Case, facility: Facility) -> Finding:
    answers = any(probe.reading.was_read for probe in case.evidence.access.probes)
    rest = (
        "; METRC still lets it be read, but may refuse its sales" if answers else ", and METRC no longer answers for it"
    )
    return Finding(
        code="wrong_license.lapsed",
        cause=Cause.WRONG_LICENSE,
        headline=f"License {facility.license} ended on {facility.license_ends_on}{rest}.",
        action=Action(ActionKind.FIX_LICENSE, "Ask the owner about the license; the new one may have another number."),
        evidence=(quote(case.evidence.access.facilities, f"license ends on {facility.license_ends_on}"),),
        brings_about=_refused_since(case, facility),
    )


def _refused_since(case: Case, facility: Facility) -> tuple[str, ...]:
    """Posts refused for a right after the license had ended were refused for that."""
    ended = facility.license_ends_on
    late = [s for s in _refused_for_access(case) if ended is not None and case.day(s.sale.sold_at) > ended]
    return ("authentication.post-refused", "failed_post.refused") if late else ()


def _other_license(case: Case) -> Finding | None:
    """Two licenses under one roof: the POS received here what METRC has received under the other number."""
    e = case.evidence
    seen, rows = e.elsewhere, e.pos_rows.value or ()
    if seen is None or e.package.value is not None or not e.package.was_read:
        return None
    manifests = {bare(row.manifest): row for row in rows if bare(row.manifest)}
    there = next((s for s in seen.value or () if bare(s.manifest) in manifests), None)
    if there is None:
        return None
    row = manifests[bare(there.manifest)]
    return Finding(
        code="wrong_license.sister-license",
        cause=Cause.WRONG_LICENSE,
        headline=f"METRC received this package under {there.where}; the POS has the same load under {e.shop.license}.",
        action=Action(
            ActionKind.FIX_LICENSE,
            f"In the POS, move the package to {there.where}, or correct the license that its location posts under.",
        ),
        evidence=(
            quote(seen, f"{there.label} at {there.where}, received on manifest {there.manifest}"),
            Quote("pos", row.where, row.as_of, f"received on manifest {row.manifest}"),
        ),
        brings_about=("in_transit.elsewhere", "failed_post.refused", "failed_post.never-posted"),
    )


def _rights(case: Case) -> Outcome | None:
    """The license is on the key, but one family of records is refused."""
    access = case.evidence.access
    refused = [p for p in access.probes if p.reading.problem and p.reading.problem.kind.is_refusal]
    if not refused:
        return None
    families = " and ".join(probe.family for probe in refused)
    finding = Finding(
        code="authentication.permission-missing",
        cause=Cause.AUTHENTICATION,
        headline=f"The key works, but may not read {families} at this license.",
        action=Action(
            ActionKind.FIX_PERMISSION,
            f"Grant this METRC user the right to view {families}. If it is still refused after that, the key may have to "
            "be made anew: rights can be fixed at the time it was made.",
        ),
        evidence=tuple(quote(probe.reading) for probe in refused),
    )
    return _closing(finding, access)


def _refused_posts(case: Case) -> Finding | None:
    """The bot can see, but METRC refused the POS's posts for a right or a key."""
    refused = _refused_for_access(case)
    if not refused:
        return None
    numbers = ", ".join(s.sale.sale_id for s in refused[:3])
    rights = case.evidence.access.rights
    lacking = rights is not None and rights.value is not None and "manage sales" not in rights.value
    quotes = [Quote("pos", s.sale.where, case.evidence.pos_sales.as_of, f"{s.sale.message}") for s in refused[:3]]
    if lacking and rights is not None:
        quotes.append(quote(rights, "the right to manage sales is not among this user's rights"))
    return Finding(
        code="authentication.post-refused",
        cause=Cause.AUTHENTICATION,
        headline=f"METRC lets packages be read but refused the POS's sale {numbers}: a right is missing.",
        action=Action(
            ActionKind.FIX_PERMISSION,
            "Grant the POS's METRC user the right to manage sales; its key is made anew only if the POS asks for it. Then "
            "resend the refused sales with their true times.",
        ),
        evidence=tuple(quotes),
        brings_about=("failed_post.refused",),
        events=tuple(f"pos sale {s.sale.sale_id}" for s in refused),
        confidence=Confidence.CERTAIN if lacking else Confidence.LIKELY,
    )


def _refused_for_access(case: Case) -> list[PostedSale]:
    return [s for s in case.matched.having(Fate.REFUSED) if blame(s.sale.message) is Blame.ACCESS]


def _closing(finding: Finding, access: Access) -> Outcome:
    outcome = found(NAME, [finding], *_quotes(access))
    return Outcome(NAME, outcome.result, outcome.summary, outcome.findings, outcome.evidence, closes=True)


def _facts(case: Case) -> tuple[Quote, ...]:
    """What passed is said too."""
    access = case.evidence.access
    facts = list(_quotes(access))
    if access.rights is not None and access.rights.value is not None:
        facts.append(quote(access.rights, f"rights: {', '.join(sorted(access.rights.value)) or 'none'}"))
    elif access.rights is not None:
        facts.append(quote(access.rights))
    return tuple(facts)


def _quotes(access: Access) -> tuple[Quote, ...]:
    seen = access.facilities.value
    says = None if seen is None else f"the key works; it sees {_licenses(seen)}"
    rungs = [quote(access.facilities, says)]
    rungs += [quote(p.reading, f"{p.family} may be read" if p.reading.was_read else None) for p in access.probes]
    rungs += [quote(p.reading, f"key of {p.family}: works" if p.reading.was_read else None) for p in access.other_keys]
    return tuple(rungs)


def _licenses(seen: tuple[Facility, ...]) -> str:
    """The licenses, the first five by number."""
    more = f" and {len(seen) - 5} more" if len(seen) > 5 else ""
    return ", ".join(f.license for f in seen[:5]) + more or "no license"


def _problems(access: Access) -> list[Problem]:
    rungs = [access.facilities.problem, *(probe.reading.problem for probe in (*access.probes, *access.other_keys))]
    return [problem for problem in rungs if problem is not None]


def _anything_read(access: Access) -> bool:
    """Whether METRC answered anything that needs its own machinery; the list of facilities alone does not count."""
    if access.probes:
        return any(probe.reading.was_read for probe in access.probes) or _only_refusals(access)
    return access.facilities.was_read


def _only_refusals(access: Access) -> bool:
    """The facilities came and everything else was refused: that is an answer, and no outage."""
    refused = [p.reading.problem is not None and p.reading.problem.kind.is_refusal for p in access.probes]
    return access.facilities.was_read and all(refused)


def _alike(one: str, other: str) -> bool:
    def letters(text: str) -> str:
        return "".join(c for c in text.casefold() if c.isalnum())

    return edits(letters(one), letters(other), most=2) is not None
