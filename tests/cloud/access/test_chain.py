from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cloud.access.chain import BEGINNING, AuditRow, Flaw, Link, Seal, link_hash, seal_statement, verify
from edge.contract.signing import fingerprint, public_bytes, sign

AT = datetime(2026, 3, 17, 4, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows = st.builds(
    AuditRow,
    id=st.integers(1, 2**40),
    at=st.datetimes(timezones=st.just(UTC)),
    actor_id=st.none() | st.integers(1, 99),
    actor_name=st.none() | texts,
    action=texts,
    subject=texts,
    area_path=st.none() | texts,
    address=st.none() | texts,
    detail=st.dictionaries(texts, texts | st.integers() | st.none() | st.floats(allow_nan=False, allow_infinity=False)),
)


def chained(content: list[AuditRow]) -> list[Link]:
    links, previous = [], BEGINNING
    for position, row in enumerate(content, start=1):
        previous = link_hash(previous, row)
        links.append(Link(position, previous, row))
    return links


def sealed(link: Link, key: Ed25519PrivateKey = KEY) -> Seal:
    sig = sign(key, seal_statement(link.position, link.hash, AT))
    return Seal(link.position, link.hash, AT, fingerprint(public_bytes(key)), sig)


@given(st.lists(rows, max_size=8))
def test_a_chain_that_nobody_touched_holds(content: list[AuditRow]) -> None:
    links = chained(content)
    found = verify(links, [sealed(link) for link in links], keys=[PUBLIC])
    assert found.holds
    assert (found.links, found.sealed) == (len(links), len(links))


@given(st.lists(rows, min_size=1, max_size=6), st.data())
def test_whatever_is_changed_or_taken_out_shows(content: list[AuditRow], data: st.DataObject) -> None:
    links = chained(content)
    at = data.draw(st.integers(0, len(links) - 1))
    row = links[at].row
    assert row is not None
    other = data.draw(rows.filter(lambda other: other != row))
    name = data.draw(st.sampled_from(sorted(AuditRow.__dataclass_fields__)))
    changed = replace(row, **{name: getattr(other, name)})
    spoiled = [
        [*links[:at], replace(links[at], row=None), *links[at + 1 :]],
        [*links[:at], *links[at + 1 :]],
    ]
    if changed != row:
        spoiled.append([*links[:at], replace(links[at], row=changed), *links[at + 1 :]])
    for broken in spoiled:
        found = verify(broken, [sealed(links[-1])], keys=[PUBLIC])
        assert not found.holds


@given(st.lists(rows, min_size=2, max_size=6), st.data())
def test_who_computes_the_whole_chain_anew_is_found_by_the_seals(content: list[AuditRow], data: st.DataObject) -> None:
    links = chained(content)
    at = data.draw(st.integers(0, len(content) - 1))
    kept = [*content[:at], *content[at + 1 :]]
    forged = chained(kept)
    mallory = Ed25519PrivateKey.generate()
    own = verify(forged, [sealed(forged[-1], mallory)], keys=[PUBLIC])
    assert {finding.flaw for finding in own.findings} == {Flaw.SEAL}
    found = verify(forged, [sealed(links[-1])], keys=[PUBLIC])
    assert not found.holds
    noted = verify(forged, [], keys=[PUBLIC], noted=[(links[-1].position, links[-1].hash)])
    assert [finding.flaw for finding in noted.findings] == [Flaw.CUT]


def one(**changes: object) -> AuditRow:
    given_row = {"id": 1, "at": AT, "actor_id": 1, "actor_name": "chief", "action": "case.confirm", "subject": "case:1"}
    given_row |= {"area_path": "110105/", "address": "192.0.2.1", "detail": {"case": 1}}
    return AuditRow(**(given_row | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda seal: replace(seal, position=1),
        lambda seal: replace(seal, sealed_at=AT + timedelta(seconds=1)),
        lambda seal: replace(seal, sig=seal.sig[:-4] + "AAA="),
        lambda seal: replace(seal, sig=""),
        lambda seal: replace(seal, hash=bytes(32)),
    ],
)
def test_a_seal_that_was_touched_is_none(tamper: Callable[[Seal], Seal]) -> None:
    links = chained([one(), one(id=2)])
    assert not verify(links, [tamper(sealed(links[1]))], keys=[PUBLIC]).holds


def test_the_same_words_in_other_fields_are_another_row() -> None:
    assert link_hash(BEGINNING, one(action="a", subject="b")) != link_hash(BEGINNING, one(action="b", subject="a"))
    assert link_hash(BEGINNING, one(actor_name=None)) != link_hash(BEGINNING, one(actor_name="null"))


def test_of_very_many_flaws_the_first_are_told_and_all_counted() -> None:
    links = [replace(link, row=None) for link in chained([one(id=number) for number in range(1, 500)])]
    found = verify(links, [], keys=[])
    assert (found.flaws, len(found.findings)) == (499, 100)
