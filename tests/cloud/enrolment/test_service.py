"""Enrolment over the real database: a code binds one key once, and a node that keeps to the rules is never shut out."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access.model import Role
from cloud.db.pool import Pool, open_pool
from cloud.enrolment import policy, service, store
from cloud.enrolment.model import IssuedCredential, MadeClaim
from cloud.errors import CloudError, Conflict, Invalid, LockedOut, NotFound, Unproven
from cloud.fleet import service as fleet
from cloud.fleet import store as fleet_rows
from edge.contract.signing import fingerprint
from tests.cloud.enrolment.machines import Machine
from tests.cloud.samples import GRID, OTHER_GRID, principal, take_in_areas
from tests.fakes.node import AT, DISTRICT
from tests.waiting import wait_until

NODE = "station-07"


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=4)
    with pool.connection() as conn:
        take_in_areas(conn)
    yield pool
    pool.close()


def made(pool: Pool, node: str = NODE, *, now: datetime = AT, **more: object) -> MadeClaim:
    with pool.connection() as conn:
        return service.make_claim(conn, node, area_code=GRID, now=now, **more)  # type: ignore[arg-type]


def opens(pool: Pool, issued: IssuedCredential, now: datetime) -> bool:
    with pool.connection() as conn:
        found = fleet.node_of_token(conn, issued.token, now=now)
    assert found in {None, (issued.node, issued.generation)}
    return found is not None


def use(pool: Pool, issued: IssuedCredential, now: datetime) -> None:
    """What the node does with new credentials at once: show them."""
    assert opens(pool, issued, now)
    with pool.connection() as conn:
        told = service.standing(conn, issued.node, issued.generation, now=now)
    assert (told.generation, told.expires_at) == (issued.generation, issued.expires_at)


def audited(pool: Pool, action: str) -> list[dict[str, object]]:
    with pool.connection() as conn:
        rows = conn.execute("select detail from audit where action = %s order by id", [action]).fetchall()
    return [row[0] for row in rows]


def test_a_code_binds_a_key_and_brings_credentials(pool: Pool) -> None:
    machine, claim = Machine(), made(pool)
    issued = machine.enrol(pool, claim.code, AT)
    assert (issued.node, issued.district, issued.generation) == (NODE, DISTRICT, 1)
    assert issued.mqtt_user == f"{NODE}~1"
    assert issued.expires_at == AT + policy.CREDENTIAL_LASTS
    assert opens(pool, issued, AT)
    assert issued.token not in repr(issued)
    assert claim.code not in repr(claim)
    with pool.connection() as conn:
        kept = str(conn.execute("select * from claim").fetchall()) + str(
            conn.execute("select * from node_credential").fetchall()
        )
        found = store.identity(conn, NODE, scope="")
    assert found.public_key == machine.public_key
    for secret in (issued.token, issued.mqtt_password, claim.code.replace("-", "")[5:]):
        assert secret not in kept
    [line] = audited(pool, "node.enrolled")
    assert line["key"] == fingerprint(machine.public_key)


def test_the_same_key_may_come_again_while_the_code_lasts_and_no_other(pool: Pool) -> None:
    machine, claim = Machine(), made(pool)
    first = machine.enrol(pool, claim.code, AT)
    again = machine.enrol(pool, claim.code, AT + timedelta(hours=1))
    assert again.generation == 2
    assert opens(pool, first, AT + timedelta(hours=1))  # until the second has been seen to work
    with pytest.raises(Unproven, match="another machine"):
        Machine().enrol(pool, claim.code, AT)
    with pytest.raises(Unproven, match="is over"):
        machine.enrol(pool, claim.code, AT + timedelta(days=2))
    assert ["another machine" in str(line["reason"]) for line in audited(pool, "enrolment.refused")] == [True, False]


def test_a_new_code_puts_another_machine_in_the_place_and_shuts_the_old_one_out(pool: Pool) -> None:
    old, new = Machine(), Machine()
    before = old.enrol(pool, made(pool).code, AT)
    issued = new.enrol(pool, made(pool, now=AT + timedelta(days=1)).code, AT + timedelta(days=1))
    assert issued.generation == 2
    assert not opens(pool, before, AT + timedelta(days=1))
    with pytest.raises(Unproven, match="not bound"):
        old.renew(pool, NODE, AT + timedelta(days=1))
    with pool.connection() as conn:
        keys = conn.execute("select replaced_at is null from node_key order by id").fetchall()
    assert [row[0] for row in keys] == [False, True]


def test_a_machine_that_was_shut_out_does_not_come_back_by_its_used_code(pool: Pool) -> None:
    old, new = Machine(), Machine()
    used = made(pool)
    old.enrol(pool, used.code, AT)
    now = AT + timedelta(hours=2)
    issued = new.enrol(pool, made(pool, now=now).code, now)
    with pytest.raises(Unproven, match="another machine has taken this place"):
        old.enrol(pool, used.code, now)
    assert opens(pool, issued, now)
    new.renew(pool, NODE, now)
    assert "another machine has taken" in str(audited(pool, "enrolment.refused")[-1]["reason"])


@pytest.mark.parametrize("comes_by", ["node add", "quarantine"])
def test_a_code_of_one_area_does_not_reach_a_node_of_another(pool: Pool, comes_by: str) -> None:
    with pool.connection() as conn:
        elsewhere = principal(conn, "elsewhere", Role.MAINTAINER, OTHER_GRID)
        claim = service.make_claim(conn, NODE, area_code=OTHER_GRID, now=AT, actor=elsewhere)
    with pool.connection() as conn:
        if comes_by == "node add":
            fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=AT)
        else:
            fleet_rows.see_quarantined_node(conn, NODE, DISTRICT, AT, 10)
            fleet.accept_node(conn, NODE, area_code=GRID, now=AT)
    with pytest.raises(Unproven, match="withdrawn"):
        Machine().enrol(pool, claim.code, AT)
    with pool.connection() as conn:
        conn.execute("update claim set revoked_at = null")  # and where it stays open all the same
    with pytest.raises(Unproven, match="another area"):
        Machine().enrol(pool, claim.code, AT)
    with pool.connection() as conn:
        assert store.identity(conn, NODE, scope="").public_key is None


def test_nobody_withdraws_the_open_claim_of_another_area_by_taking_its_name(pool: Pool) -> None:
    with pool.connection() as conn:
        keeper = principal(conn, "keeper", Role.MAINTAINER, GRID)
        stranger = principal(conn, "stranger", Role.MAINTAINER, OTHER_GRID)
        claim = service.make_claim(conn, NODE, area_code=GRID, now=AT, actor=keeper)

    def take_the_name(now: datetime) -> MadeClaim:
        with pool.connection() as conn:
            return service.make_claim(conn, NODE, area_code=OTHER_GRID, now=now, actor=stranger)

    with pytest.raises(Conflict, match="open claim"):
        take_the_name(AT)
    take_the_name(claim.claim.expires_at)  # what is over keeps no name
    with pool.connection() as conn:
        conn.execute("update claim set revoked_at = now()")
    assert Machine().enrol(pool, made(pool).code, AT).node == NODE


def test_of_two_presses_at_once_the_later_code_is_the_open_one(pool: Pool) -> None:
    """The first has not ended when the second begins: it waits, and withdraws what the first made."""
    codes: list[MadeClaim] = []
    with pool.connection() as first:
        earlier = service.make_claim(first, NODE, area_code=GRID, now=AT)
        second = threading.Thread(target=lambda: codes.append(made(pool)))
        second.start()
        with pool.connection() as watcher:
            wait_until(lambda: is_waiting(watcher))
    second.join()
    with pytest.raises(Unproven, match="withdrawn"):
        Machine().enrol(pool, earlier.code, AT)
    assert Machine().enrol(pool, codes[0].code, AT).generation == 1


def is_waiting(conn: Connection[Any]) -> bool:
    """Whether somebody waits for another's transaction."""
    found = conn.execute("select exists (select from pg_locks where not granted)").fetchone()
    return found is not None and bool(found[0])


def test_a_key_belongs_to_one_node(pool: Pool) -> None:
    machine = Machine()
    machine.enrol(pool, made(pool).code, AT)
    with pytest.raises(Conflict, match="another node"):
        machine.enrol(pool, made(pool, "station-08").code, AT)


def test_who_does_not_hold_the_key_or_answers_twice_gets_nothing(pool: Pool) -> None:
    claim = made(pool)
    with pytest.raises(Unproven, match="signature"):
        Machine(signing_key=Machine().key).enrol(pool, claim.code, AT)
    with pytest.raises(Unproven, match="none of this cloud"):
        Machine().enrol(pool, claim.code, AT, challenge=policy.new_challenge(bytes(32), AT))
    with pool.connection() as conn:
        challenge = service.challenge(conn, now=AT)
    machine = Machine()
    machine.enrol(pool, claim.code, AT, challenge=challenge)
    with pytest.raises(Unproven, match="answered before"):
        machine.renew(pool, NODE, AT, challenge=challenge)
    with pytest.raises(Unproven, match="it is over"):
        machine.enrol(pool, claim.code, AT + timedelta(minutes=6), challenge=challenge)


def test_guessing_closes_a_claim_and_then_the_door(pool: Pool) -> None:
    claim = made(pool)
    guess = claim.code[:6] + "-".join(["00000"] * 4)
    for _ in range(policy.CLAIM_FAILURES):
        with pytest.raises(Unproven, match="not known"):
            Machine().enrol(pool, guess, AT)
    with pytest.raises(Unproven, match="tried too often"):
        Machine().enrol(pool, claim.code, AT)
    for _ in range(service.PER_NETWORK.free - policy.CLAIM_FAILURES - 1):
        with pytest.raises(Unproven):
            Machine().enrol(pool, "no code", AT)
    with pytest.raises(LockedOut):
        Machine().enrol(pool, made(pool).code, AT)


def test_a_claim_is_withdrawn_by_a_new_one_or_by_a_person_of_its_area(pool: Pool) -> None:
    first = made(pool)
    second = made(pool)
    with pytest.raises(Unproven, match="withdrawn"):
        Machine().enrol(pool, first.code, AT)
    with pool.connection() as conn:
        keeper = principal(conn, "keeper", Role.MAINTAINER)
        stranger = principal(conn, "stranger", Role.MAINTAINER, OTHER_GRID)
    with pool.connection() as conn, pytest.raises(NotFound):
        service.revoke_claim(conn, second.claim.id, actor=stranger, now=AT)
    with pool.connection() as conn:
        service.revoke_claim(conn, second.claim.id, actor=keeper, now=AT)
    with pytest.raises(Unproven, match="withdrawn"):
        Machine().enrol(pool, second.code, AT)


@pytest.mark.parametrize(
    ("node", "area", "lasts"),
    [
        ("Station", GRID, timedelta(hours=1)),
        (NODE, "999999", timedelta(hours=1)),
        (NODE, GRID, timedelta(0)),
        (NODE, GRID, timedelta(days=31)),
    ],
)
def test_a_claim_that_can_not_be_is_refused(pool: Pool, node: str, area: str, lasts: timedelta) -> None:
    with pool.connection() as conn, pytest.raises(Invalid):
        service.make_claim(conn, node, area_code=area, now=AT, lasts=lasts)


def test_the_secrets_of_node_add_work_until_the_key_does(pool: Pool) -> None:
    with pool.connection() as conn:
        secrets = fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=AT)
    issued = Machine().enrol(pool, made(pool).code, AT)

    def works(now: datetime) -> bool:
        with pool.connection() as conn:
            return fleet.node_of_token(conn, secrets.token, now=now) is not None

    later = AT + timedelta(days=30)
    assert works(later)
    use(pool, issued, later)
    assert works(later + policy.OVERLAP - timedelta(seconds=1))
    assert not works(later + policy.OVERLAP)


def test_a_person_asks_for_a_rotation_and_an_emergency_ends_everything_at_once(pool: Pool) -> None:
    machine = Machine()
    first = machine.enrol(pool, made(pool).code, AT)
    use(pool, first, AT)
    with pool.connection() as conn:
        service.rotate(conn, NODE, now=AT)
        assert service.standing(conn, NODE, 1, now=AT).renewal_wanted
    second = machine.renew(pool, NODE, AT)
    with pool.connection() as conn:
        assert not service.standing(conn, NODE, 2, now=AT).renewal_wanted
        service.rotate(conn, NODE, now=AT, at_once=True)
    assert not opens(pool, first, AT)
    assert not opens(pool, second, AT)
    assert opens(pool, machine.renew(pool, NODE, AT), AT)  # the key alone brings it back
    with pool.connection() as conn, pytest.raises(NotFound):
        service.rotate(conn, "nobody", now=AT)
    with pool.connection() as conn:
        fleet.add_node(conn, "keyless", district=DISTRICT, area_code=GRID, now=AT)
    with pool.connection() as conn, pytest.raises(Conflict, match="no key"):
        service.rotate(conn, "keyless", now=AT)


@given(st.permutations(range(20)))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_however_many_keys_of_commands_nodes_are_told_the_newest(pool: Pool, numbers: list[int]) -> None:
    with pool.connection() as conn, conn.transaction(force_rollback=True):
        for number in numbers:
            service.use_command_key(conn, bytes([number]) * 32, now=AT + timedelta(days=number))
        service.use_command_key(conn, bytes([numbers[0]]) * 32, now=AT + timedelta(days=99))  # a restart
        told = store.command_keys(conn)
    assert told == [bytes([number]) * 32 for number in range(19, 3, -1)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 40)),
        st.tuples(st.just("renew"), st.just(0)),
        st.tuples(st.just("lost"), st.integers(1, 6)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.just("prune"), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_a_node_that_keeps_to_the_rules_always_holds_credentials_that_work(
    pool: Pool, steps: list[tuple[str, int]]
) -> None:
    """Answers get lost, people rotate, days pass; the node looks every two days at most, and renews when it is due."""
    machine, now = Machine(), AT
    name = f"station-{fingerprint(machine.public_key)[:12]}"
    held = machine.enrol(pool, made(pool, name).code, now)
    use(pool, held, now)

    def look() -> None:
        nonlocal held
        assert opens(pool, held, now)
        with pool.connection() as conn:
            wanted = service.standing(conn, name, held.generation, now=now).renewal_wanted
        if wanted or policy.is_due(held.issued_at, held.expires_at, now):
            held = machine.renew(pool, name, now)
            use(pool, held, now)

    for step, value in steps:
        if step == "pass":
            for _ in range(value):
                now += timedelta(days=2)
                look()
        elif step == "renew":
            held = machine.renew(pool, name, now)
            use(pool, held, now)
        elif step == "lost":  # the answer never came: the node goes on with what it has
            for _ in range(min(value, policy.LIVE_MOST - 1)):
                machine.renew(pool, name, now)
        elif step == "rotate":
            with pool.connection() as conn:
                service.rotate(conn, name, now=now)
        else:
            with pool.connection() as conn:
                service.prune(conn, now=now)
        look()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 9)), max_size=10))
def test_whoever_comes_in_whatever_order_a_code_binds_one_key(pool: Pool, steps: list[tuple[int, bool, int]]) -> None:
    machines = [Machine() for _ in range(3)]
    name = f"station-{fingerprint(machines[0].public_key)[:12]}"
    claim, now, bound = made(pool, name), AT, set[int]()
    wrong = claim.code[:6] + "-".join(["00000"] * 4)
    for number, is_right, hours in steps:
        now += timedelta(hours=hours)
        try:
            machines[number].enrol(pool, claim.code if is_right else wrong, now)
        except CloudError:
            continue
        assert is_right
        assert now < claim.claim.expires_at
        bound.add(number)
    assert len(bound) <= 1
