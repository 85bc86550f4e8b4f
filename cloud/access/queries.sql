-- Areas, people, sessions, audit.

-- name: levels()
select level, position, label_zh, label_en from area_level order by position;

-- name: area_by_code(code)^
select id, code, level, parent_code, name, path from area where code = :code and valid_to is null;

-- name: areas_in_scope(scope)
-- The areas of a scope and those above it, so that a page can show where it stands.
select a.id, a.code, a.level, a.parent_code, a.name, a.path
from area a join area_level l on l.level = a.level
where a.valid_to is null and (a.path ^@ :scope or :scope ^@ a.path)
order by l.position, a.code;

-- name: boundaries(open_statuses, scope, level)
-- What lies in an area on one level, with its open cases and the worst of them.
-- Cases are counted by place first: their number must not be multiplied by that of the areas.
with open as materialized (
    select area_path, count(*) as open_cases, max(severity) as severity
    from grid_case
    where area_path ^@ :scope and status = any(:open_statuses::text[])
    group by area_path
)
select a.code, a.name, a.level, a.parent_code, a.boundary,
    coalesce(o.open_cases, 0)::bigint as open_cases, o.severity
from area a
left join lateral (
    select sum(open_cases) as open_cases, max(severity)::text as severity from open where area_path ^@ a.path
) o on true
where a.valid_to is null and a.path ^@ :scope and a.level = :level
order by a.code;

-- name: levels_of_codes(codes)
select code, level from area where valid_to is null and code = any(:codes::text[]);

-- name: insert_area(code, scheme, level, parent_code, name, kind, path, boundary, valid_from)$
insert into area (code, scheme, level, parent_code, name, kind, path, boundary, valid_from)
values (:code, :scheme, :level, :parent_code, :name, :kind, :path, :boundary, :valid_from)
returning id;

-- name: end_area(valid_to, code)!
update area set valid_to = :valid_to where code = :code and valid_to is null;

-- name: area_full(code)^
select id, code, scheme, level, parent_code, name, kind, path, boundary from area where code = :code and valid_to is null;

-- name: areas_astray()
-- Valid areas whose parent is missing or lies elsewhere than their path says.
select a.code
from area a left join area p on p.code = a.parent_code and p.valid_to is null
where a.valid_to is null
  and a.path <> coalesce(p.path, '') || a.code || '/'
order by a.code
limit 20;

-- name: lock_areas()$
-- Two imports take turns.
select pg_advisory_xact_lock(2, 0);

-- name: insert_account(name, display_name, role, area_code, password_hash, now)$
insert into account (name, display_name, role, area_code, password_hash, created_at, password_changed_at)
values (:name, :display_name, :role, :area_code, :password_hash, :now, :now)
on conflict (name) do nothing
returning id;

-- name: account_by_name(name)^
select id, name, display_name, role, area_code, password_hash, disabled_at from account where name = :name;

-- name: accounts()
select a.id, a.name, a.display_name, a.role, a.area_code, a.created_at, a.disabled_at from account a order by a.name;

-- name: account_in_use(name)^
select a.id, a.name, a.display_name, a.role, a.area_code, r.path as area_path
from account a
left join area r on r.code = a.area_code and r.valid_to is null
where a.name = :name and a.disabled_at is null;

-- name: set_password(password_hash, now, account_id)!
update account set password_hash = :password_hash, password_changed_at = :now where id = :account_id;

-- name: rehash_password(new_hash, account_id, old_hash)!
update account set password_hash = :new_hash where id = :account_id and password_hash = :old_hash;

-- name: disable_account(now, account_id)!
update account set disabled_at = :now where id = :account_id and disabled_at is null;

-- name: insert_session(token_hash, account_id, now, expires_at, address, agent)$
insert into session (token_hash, account_id, created_at, expires_at, address, agent)
values (:token_hash, :account_id, :now, :expires_at, :address, :agent)
returning id;

-- name: session_by_token(token_hash, now)^
select s.id, s.expires_at, a.id as account_id, a.name, a.display_name, a.role, a.area_code,
    r.path as area_path
from session s
join account a on a.id = s.account_id
left join area r on r.code = a.area_code and r.valid_to is null
where s.token_hash = :token_hash and s.revoked_at is null and s.expires_at > :now and a.disabled_at is null;

-- name: session_by_id(session_id, now)^
select s.id, s.expires_at, a.id as account_id, a.name, a.display_name, a.role, a.area_code,
    r.path as area_path
from session s
join account a on a.id = s.account_id
left join area r on r.code = a.area_code and r.valid_to is null
where s.id = :session_id and s.revoked_at is null and s.expires_at > :now and a.disabled_at is null;

-- name: revoke_session(now, session_id)!
update session set revoked_at = :now where id = :session_id and revoked_at is null;

-- name: revoke_oldest_sessions(now, account_id, kept)
-- All but the newest ones.
update session set revoked_at = :now
where id in (
    select id from session
    where account_id = :account_id and revoked_at is null and expires_at > :now
    order by id desc
    offset :kept
)
returning id;

-- name: revoke_sessions_of(now, account_id)
update session set revoked_at = :now
where account_id = :account_id and revoked_at is null and expires_at > :now
returning id;

-- name: prune_sessions(before)!
delete from session where expires_at < :before;

-- name: lock_attempts(subject, now)^
-- The row of a subject, locked and made where it is missing: attempts at one subject take turns.
insert into login_attempt (subject, failures, last_at)
values (:subject, 0, :now)
on conflict (subject) do update set subject = excluded.subject
returning failures, last_at;

-- name: count_attempt(failures, now, subject)!
update login_attempt set failures = :failures, last_at = :now where subject = :subject;

-- name: forget_attempts(subject)!
delete from login_attempt where subject = :subject;

-- name: forget_attempts_below(prefix)!
delete from login_attempt where subject ^@ :prefix;

-- name: addresses_of_account(name)
select distinct session.address
from session
join account on account.id = session.account_id
where account.name = :name
limit 500;

-- name: take_back_attempt(subject)!
update login_attempt set failures = greatest(failures - 1, 0) where subject = :subject;

-- name: prune_attempts(before)!
delete from login_attempt where last_at < :before;

-- name: insert_audit(actor_id, actor_name, action, subject, area_path, address, detail)!
insert into audit (actor_id, actor_name, action, subject, area_path, address, detail)
values (:actor_id, :actor_name, :action, :subject, :area_path, :address, :detail);
