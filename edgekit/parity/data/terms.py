"""Terms of data sets against the policy of a project: licences, personal data, consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgekit.specs.policy import Policy
from edgekit.specs.project import DataSet


def violations(policy: Policy, sets: Mapping[str, DataSet]) -> tuple[str, ...]:
    """Sentences on the data sets, by role, whose terms the policy does not allow: one sentence a set at most."""
    reasons = ((role, "; ".join(_reasons(policy, stated))) for role, stated in sets.items())
    return tuple(f"{role}: {reason}" for role, reason in reasons if reason)


def _reasons(policy: Policy, stated: DataSet) -> Iterable[str]:
    if policy.licences is not None and plain(stated.licence) not in map(plain, policy.licences):
        yield f"its licence, '{stated.licence}', is not among those of [policy] licences"
    if policy.personal is False and stated.personal is not False:
        yield "it holds personal data" if stated.personal else "it does not state personal = false"
    if policy.consent and stated.personal is not False and not stated.consent:
        yield "it states neither consent nor personal = false"


def plain(licence: str) -> str:
    """The name of a licence without regard to case, spaces and hyphens: `CC BY 4.0` is `CC-BY-4.0`."""
    return "".join(licence.casefold().replace("-", " ").split())
