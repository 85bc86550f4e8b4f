-- Areas, people, sessions, audit.

-- name: levels()
select level, position, label_zh, label_en from area_level order by position;

-- name: insert_level(level, position, label_zh, label_en)!
insert into area_level (level, position, label_zh, label_en) values (:level, :position, :label_zh, :label_en);

-- name: schemes()
select name, nested from area_scheme order by name;

-- name: scheme_levels(scheme)
select s.nested, f.level, f.alphabet, f.code_length
from area_scheme s
join area_scheme_level f on f.scheme = s.name
join area_level l on l.level = f.level
where s.name = :scheme
order by l.position;

-- name: insert_scheme(name, nested)!
insert into area_scheme (name, nested) values (:name, :nested);

-- name: insert_scheme_level(scheme, level, alphabet, code_length)!
insert into area_scheme_level (scheme, level, alphabet, code_length) values (:scheme, :level, :alphabet, :code_length);

-- name: area_by_code_at(code, at)^
select id, code, level, parent_code, name, path
from area
where code = :code and valid_from <= :at and (valid_to is null or valid_to > :at)
order by id desc
limit 1;

-- name: area_versions(code)
select id, code, level, parent_code, name, path, boundary, valid_from, valid_to
from area where code = :code order by valid_from, id;

-- name: area_by_code(code)^
select id, code, level, parent_code, name, path from area where code = :code and valid_to is null;

-- name: areas_in_scope(scope)
-- The areas of a scope and those above it, so that a page can show where it stands.
select a.id, a.code, a.level, a.parent_code, a.name, a.path
from area a join area_level l on l.level = a.level
where a.valid_to is null and (a.path ^@ :scope or :scope ^@ a.path)
order by l.position, a.code;

-- name: boundaries(open_statuses, scope, level, department)
-- What lies in an area on one level, with its open cases and the worst of them.
-- Cases are counted by place first, in the index of what goes on; each place then adds to the areas whose path its own begins with.
with going_on as (
    -- of a department, what is open meets what it was told of in the order of both; the other half is left out by the planner
    select area_path, status, severity from grid_case
    where area_path ^@ :scope and status not in ('rejected', 'closed', 'merged', 'voided') and :department::bigint is null
    union all
    select c.area_path, c.status, c.severity from grid_case c join case_department told on told.case_id = c.id
    where c.area_path ^@ :scope and c.status not in ('rejected', 'closed', 'merged', 'voided')
        and told.department_id = :department
), place as materialized (
    select area_path, count(*) filter (where status = any(:open_statuses::text[])) as open_cases,
        max(severity) filter (where status = any(:open_statuses::text[])) as severity
    from going_on
    group by area_path
), above as (
    select left(place.area_path, slash.position::integer) as path, sum(place.open_cases) as open_cases,
        max(place.severity)::text as severity
    from place
    cross join lateral (
        select sum(length(part) + 1) over (order by depth) as position
        from unnest(string_to_array(rtrim(place.area_path, '/'), '/')) with ordinality as parts (part, depth)
    ) slash
    group by 1
)
select a.code, a.name, a.level, a.parent_code, a.boundary,
    coalesce(above.open_cases, 0)::bigint as open_cases, above.severity
from area a
left join above on above.path = a.path
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

-- name: insert_account(name, display_name, role, area_code, department_id, password_hash, must_change, now)$
insert into account (
    name, display_name, role, area_code, department_id, password_hash, must_change_password, created_at, password_changed_at
)
values (:name, :display_name, :role, :area_code, :department_id, :password_hash, :must_change, :now, :now)
on conflict (name) do nothing
returning id;

-- name: account_by_name(name)^
select id, name, display_name, role, area_code, password_hash, disabled_at from account where name = :name;

-- name: accounts()
select a.id, a.name, a.display_name, a.role, a.area_code, d.code as department, a.created_at, a.disabled_at
from account a
left join department d on d.id = a.department_id
order by a.name;

-- name: account_in_use(name)^
select a.id, a.name, a.display_name, a.role, a.area_code, a.department_id, r.path as area_path
from account a
left join area r on r.code = a.area_code and r.valid_to is null
where a.name = :name and a.disabled_at is null;

-- name: set_password(password_hash, now, must_change, account_id)!
update account
set password_hash = :password_hash, password_changed_at = :now, must_change_password = :must_change
where id = :account_id;

-- name: rehash_password(new_hash, account_id, old_hash)!
update account set password_hash = :new_hash where id = :account_id and password_hash = :old_hash;

-- name: disable_account(now, account_id)!
update account set disabled_at = :now where id = :account_id and disabled_at is null;

-- name: insert_session(token_hash, account_id, now, expires_at, address, agent)$
insert into session (token_hash, account_id, created_at, expires_at, address, agent)
values (:token_hash, :account_id, :now, :expires_at, :address, :agent)
returning id;

-- name: session_by_token(token_hash, now)^
select s.id, s.expires_at, a.must_change_password, a.id as account_id, a.name, a.display_name, a.role, a.area_code,
    a.department_id, r.path as area_path
from session s
join account a on a.id = s.account_id
left join area r on r.code = a.area_code and r.valid_to is null
where s.token_hash = :token_hash and s.revoked_at is null and s.expires_at > :now and a.disabled_at is null;

-- name: session_by_id(session_id, now)^
select s.id, s.expires_at, a.must_change_password, a.id as account_id, a.name, a.display_name, a.role, a.area_code,
    a.department_id, r.path as area_path
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

-- name: sessions_of(account_id, now)
select id, account_id, created_at, expires_at, address, agent
from session
where account_id = :account_id and revoked_at is null and expires_at > :now
order by id desc;

-- name: revoke_other_sessions(now, account_id, kept)
update session set revoked_at = :now
where account_id = :account_id and id <> :kept and revoked_at is null and expires_at > :now
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

-- name: insert_department(code, name, kind, area_code, now)$
insert into department (code, name, kind, area_code, created_at) values (:code, :name, :kind, :area_code, :now)
on conflict (code) do nothing
returning id;

-- name: departments()
select id, code, name, kind, area_code from department where closed_at is null order by name, code;

-- name: department_by_code(code)$
select id from department where code = :code and closed_at is null;

-- name: lock_api_keys()$
-- Two that make keys take turns.
select pg_advisory_xact_lock(2, 1);

-- name: count_api_keys(now)$
select count(*) from api_key where revoked_at is null and expires_at > :now;

-- name: insert_api_key(selector, secret_hash, name, scopes, area_code, per_minute, made_by, now, expires_at)^
insert into api_key (selector, secret_hash, name, scopes, area_code, per_minute, made_by, made_at, expires_at)
values (:selector, :secret_hash, :name, :scopes::text[], :area_code, :per_minute, :made_by, :now, :expires_at)
on conflict (name) where revoked_at is null do nothing
returning id, selector, name, scopes, area_code, per_minute, made_by, made_at, expires_at, revoked_at, used_at;

-- name: api_key_by_selector(selector, now)^
select k.id, k.secret_hash, k.name, k.scopes, k.area_code, k.per_minute, k.used_at, a.path as area_path
from api_key k
left join area a on a.code = k.area_code and a.valid_to is null
where k.selector = :selector and k.revoked_at is null and k.expires_at > :now;

-- name: note_api_key_used(now, key_id)!
update api_key set used_at = :now where id = :key_id;

-- name: api_keys()
select k.id, k.selector, k.name, k.scopes, k.area_code, k.per_minute, k.made_by, k.made_at, k.expires_at, k.revoked_at,
    k.used_at, a.path as area_path
from api_key k
left join area a on a.code = k.area_code and a.valid_to is null
order by k.id desc
limit 1000;

-- name: revoke_api_key(now, key_id)!
update api_key set revoked_at = :now where id = :key_id and revoked_at is null;

-- name: camera_access_of(role, department_id, account_id)
select owner, role, department_id, account_id, allowed
from camera_access
where role = :role or department_id = :department_id or account_id = :account_id;

-- name: camera_access()
select c.id, c.owner, c.role, c.department_id, c.account_id, c.allowed, c.set_by, c.set_at, d.code as department, a.name as account
from camera_access c
left join department d on d.id = c.department_id
left join account a on a.id = c.account_id
order by c.owner, c.role nulls last, d.code nulls last, a.name
limit 1000;

-- name: camera_owners()
select distinct coalesce(department, '') as owner from device where kind = 'camera' and declared order by 1 limit 200;

-- name: code_of_department(department_id)$
select code from department where id = :department_id;

-- name: is_account(account_id)$
select exists (select from account where id = :account_id);

-- name: lock_camera_access()$
-- Two who change the rules take turns.
select pg_advisory_xact_lock(2, 2);

-- name: drop_camera_access(owner, role, department_id, account_id)!
delete from camera_access
where owner = :owner and role is not distinct from :role and department_id is not distinct from :department_id
    and account_id is not distinct from :account_id;

-- name: insert_camera_access(owner, role, department_id, account_id, allowed, set_by, now)!
insert into camera_access (owner, role, department_id, account_id, allowed, set_by, set_at)
values (:owner, :role, :department_id, :account_id, :allowed, :set_by, :now);

-- name: delete_camera_access(rule_id)^
delete from camera_access where id = :rule_id returning owner, role, department_id, account_id;

-- name: lock_audit_chain()$
-- Two that chain take turns.
select pg_advisory_xact_lock(2, 3);

-- name: audit_to_link(count)
select a.id, a.at, a.actor_id, a.actor_name, a.action, a.subject, a.area_path, a.address, a.detail
from audit_waiting w
join audit a on a.id = w.audit_id
order by w.audit_id
limit :count;

-- name: audit_head()^
select position, hash from audit_link order by position desc limit 1;

-- name: insert_audit_links(positions, ids, hashes)!
insert into audit_link (position, audit_id, hash)
select * from unnest(:positions::bigint[], :ids::bigint[], :hashes::bytea[]);

-- name: audit_waits_no_more(ids)!
delete from audit_waiting where audit_id = any(:ids::bigint[]);

-- name: last_sealed()$
select max(position) from audit_seal;

-- name: insert_audit_seal(position, hash, sealed_at, key, sig)!
insert into audit_seal (position, hash, sealed_at, key, sig) values (:position, :hash, :sealed_at, :key, :sig);

-- name: audit_links()
select l.position, l.hash, a.id, a.at, a.actor_id, a.actor_name, a.action, a.subject, a.area_path, a.address, a.detail
from audit_link l
left join audit a on a.id = l.audit_id
order by l.position;

-- name: audit_seals()
select position, hash, sealed_at, key, sig from audit_seal order by position;

-- name: audit_waiting()$
select count(*) from audit_waiting;

-- name: audit_unchained()$
select count(*)
from audit a
where not exists (select from audit_link l where l.audit_id = a.id)
    and not exists (select from audit_waiting w where w.audit_id = a.id);

-- name: lock_accounts()$
-- Two who change accounts take turns: the last administrator stays.
select pg_advisory_xact_lock(2, 4);

-- name: accounts_page(scope, role, text, closed, after, count, account_id)
select p.id, p.name, p.display_name, p.role, p.area_code, r.name as area_name, d.code as department, p.created_at,
    p.disabled_at, p.password_changed_at, p.must_change_password,
    (select max(s.created_at) from session s where s.account_id = p.id) as signed_in_at
from account p
left join area r on r.code = p.area_code and r.valid_to is null
left join department d on d.id = p.department_id
where (:scope = '' or coalesce(r.path, '') ^@ :scope)
    and (:role::text is null or p.role = :role)
    and (:text::text is null or strpos(p.name, lower(:text)) > 0 or strpos(lower(p.display_name), lower(:text)) > 0)
    and (:closed::boolean is null or (p.disabled_at is not null) = :closed)
    and (:account_id::bigint is null or p.id = :account_id)
    and p.name > :after
order by p.name
limit :count;

-- name: attempts_of(account, pairs)
-- What counts against an account: from everywhere together, and from each address.
select subject, failures, last_at from login_attempt where subject = :account or subject ^@ :pairs limit 1000;

-- name: change_account(display_name, role, area_code, department_id, account_id)!
update account
set display_name = :display_name, role = :role, area_code = :area_code, department_id = :department_id
where id = :account_id;

-- name: enable_account(account_id)!
update account set disabled_at = null where id = :account_id and disabled_at is not null;

-- name: count_chief_administrators()$
-- Those who may do everything everywhere.
select count(*) from account where role = 'administrator' and area_code is null and disabled_at is null;

-- name: password_of(account_id)$
select password_hash from account where id = :account_id and disabled_at is null;

-- name: people(roles, scope, seeing, count)
-- Those in a scope or, where something lies at a path, those whose scope it is in; whoever is nearest to it first.
select p.id, p.display_name, p.role, p.area_code, a.path as area_path, a.name as area
from account p
left join area a on a.code = p.area_code and a.valid_to is null
where p.disabled_at is null and p.role = any(:roles::text[])
  and case
    when :seeing::text is null then coalesce(a.path, '') ^@ :scope::text
    else p.area_code is null or :seeing::text ^@ a.path
  end
order by case when :seeing::text is null then 0 else -length(coalesce(a.path, '')) end, p.display_name, p.id
limit :count;

-- name: audit_page(scope, actor, action, subject, case, case_subject, from_at, to_at, before, count)
select a.id, a.at, a.actor_name, a.action, a.subject, a.area_path, a.address, a.detail,
    exists (select from audit_link l where l.audit_id = a.id) as chained
from audit a
where coalesce(a.area_path, '') ^@ :scope
    and (:actor::text is null or a.actor_name = :actor)
    and (:action::text is null or a.action ^@ :action::text)
    and (:subject::text is null or a.subject = :subject)
    and (:case::text is null or a.detail ->> 'case' = :case or a.subject = :case_subject)
    and (:from_at::timestamptz is null or a.at >= :from_at)
    and (:to_at::timestamptz is null or a.at < :to_at)
    and (:before::bigint is null or a.id < :before)
order by a.id desc
limit :count;

-- name: chain_state()^
select
    coalesce((select max(position) from audit_link), 0) as rows,
    (select count(*) from audit_waiting) as waiting,
    coalesce(last.position, 0) as sealed, last.sealed_at, last.key
from (select 1) one
left join (select position, sealed_at, key from audit_seal order by position desc limit 1) last on true;

-- name: insert_password_issue(account_id, issued_by, issued_at)!
insert into password_issue (account_id, issued_by, issued_at) values (:account_id, :issued_by, :issued_at);

-- name: in_same_hands(account_ids, since)
-- Up the line of those who issued passwords, and down from each of them. What is older than `since` counts where the password still
-- is the one that was issued.
with recursive asked as (
    select * from unnest(:account_ids::bigint[], :since::timestamptz[]) as a (root, since)
), holder as (
    select root, since, root as account_id from asked
    union
    select h.root, h.since, i.issued_by
    from holder h
    join password_issue i on i.account_id = h.account_id
    join account a on a.id = i.account_id
    where i.issued_at > h.since or a.must_change_password
), held as (
    select root, since, account_id from holder
    union
    select h.root, h.since, i.account_id
    from held h
    join password_issue i on i.issued_by = h.account_id
    join account a on a.id = i.account_id
    where i.issued_at > h.since or a.must_change_password
)
select root, account_id from held;
