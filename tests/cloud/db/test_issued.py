"""Whose hands an account is in is known of accounts that were made before it was written down."""

import psycopg

from cloud.db.migrate import migrate

BEFORE = "0038_whole_clock"


def test_who_issued_a_password_before_is_read_from_the_audit_log(postgres_url: str) -> None:
    migrate(postgres_url, to=BEFORE)
    with psycopg.connect(postgres_url) as conn:
        for name, must_change in (("chief", False), ("new", True), ("lately", False), ("long", False)):
            conn.execute(
                "insert into account (name, display_name, role, password_hash, must_change_password, created_at, password_changed_at)"
                " values (%s, %s, 'administrator', 'x', %s, now(), now())",
                [name, name, must_change],
            )
        for name, action, days in (
            ("new", "added", 400),
            ("lately", "password_reset", 3),
            ("long", "added", 400),
            ("chief", "password_reset", 1),
            ("new", "unlocked", 1),
        ):
            conn.execute(
                "insert into audit (at, actor_id, actor_name, action, subject)"
                " select now() - make_interval(days => %s), id, name, %s, %s from account where name = 'chief'",
                [days, f"account.{action}", f"account:{name}"],
            )
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as conn:
        rows = conn.execute(
            "select a.name, i.name from password_issue p join account a on a.id = p.account_id"
            " join account i on i.id = p.issued_by order by p.id"
        ).fetchall()
    assert rows == [("new", "chief"), ("lately", "chief")]
