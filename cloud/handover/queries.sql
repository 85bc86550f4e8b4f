-- How things stand at a change of shift, and the records of it.

-- name: standing_counts(scope, running)
select status, severity::text as severity, count(*) as cases
from grid_case
where area_path ^@ :scope and status = any(:running::text[]) and not drill
group by status, severity
order by severity desc, status;

-- name: pressing_cases(scope, running, now, until, count)
-- Running cases that somebody has to know of by name: overdue, nearly so, urged, promised for a date that comes soon, high or critical,
-- or out of a drill: who went knows that it is none, who comes may have heard of an exercise.
with told as (
    select c.id, c.number, c.title, c.kind, c.severity::text as severity, c.status, c.opened_at, c.area_code, k.due_at,
        c.urged_at is not null as urged,
        case when k.due_at <= :now then 'red' when k.amber_at <= :now then 'amber' else 'green' end as light,
        case
            when c.suspended_until between :now and :until then c.suspended_until
            when k.extended_until between :now and :until then k.extended_until
        end as promised_at,
        exists (select from case_event e where e.case_id = c.id and e.action = 'made_real') as made_real, c.simulated
    from grid_case c
    left join case_clock k on k.case_id = c.id and k.state = 'running'
    where c.area_path ^@ :scope and c.status = any(:running::text[]) and not c.drill
), pressing as (
    select * from told where light <> 'green' or urged or promised_at is not null or made_real or severity in ('high', 'critical')
)
select *, count(*) over () as together,
    count(*) filter (where light = 'red') over () as red,
    count(*) filter (where light = 'amber') over () as amber,
    count(*) filter (where urged) over () as urged_cases,
    count(*) filter (where promised_at is not null) over () as promised
from pressing
order by light = 'red' desc, urged desc, light = 'amber' desc, promised_at nulls last, due_at nulls last, id
limit :count;

-- name: missing_arrivals(scope, running, count)
-- Who was called by a whistle and has not come.
select c.number, w.level, coalesce(d.name, a.display_name) as called, k.called_at, k.due_at, c.simulated,
    count(*) over () as together
from whistle_call k
join whistle w on w.id = k.whistle_id
join grid_case c on c.id = w.case_id
left join department d on d.id = k.department_id
left join account a on a.id = k.account_id
where c.area_path ^@ :scope and k.arrived_at is null and w.ended_at is null and not c.drill and c.status = any(:running::text[])
order by k.due_at, k.id
limit :count;

-- name: running_drills(scope, running, now, count)
-- What is exercised beyond the change, with how many of its cases here are still open, and how many turned out to be real.
select d.name, d.area_code, d.started_at, d.planned_end_at,
    (
        select count(*) from grid_case c
        where c.drill_id = d.id and c.area_path ^@ :scope and c.status = any(:running::text[])
    ) as exercised_open,
    (select count(*) from drill_step s where s.drill_id = d.id and s.action = 'made_real') as times_real,
    count(*) over () as together
from drill d
where (d.area_path ^@ :scope or :scope ^@ d.area_path) and d.ended_at is null and d.planned_end_at > :now
order by d.planned_end_at, d.id
limit :count;

-- name: lost_machines(scope, count)
-- Nodes that are away, and devices that a node which is there does not reach.
select lost.kind, lost.name, lost.node, lost.since, lost.simulated, count(*) over () as together
from (
    select 'node' as kind, n.name, n.name as node, n.presence_since as since, false as simulated
    from node n join area a on a.code = n.area_code and a.valid_to is null
    where a.path ^@ :scope and n.presence in ('lost', 'offline')
    union all
    select d.kind, coalesce(d.title, d.name), n.name, d.presence_since, d.simulated
    from device d
    join node n on n.id = d.node_id
    join area a on a.code = coalesce(d.grid_code, n.area_code) and a.valid_to is null
    where a.path ^@ :scope and d.declared and d.kind <> 'node' and d.presence = 'lost' and n.presence = 'online'
) lost
order by lost.kind <> 'node', lost.since nulls last, lost.node, lost.name
limit :count;

-- name: open_warnings(scope, count)
select w.kind, w.area_code, p.display_name as person, w.from_at, w.until, count(*) over () as together
from duty_warning w
left join account p on p.id = w.account_id
where w.area_path ^@ :scope and w.over_at is null
order by w.from_at, w.id
limit :count;

-- name: shifts_to_record(kinds, from_at, to_at, grace, count)
-- Shifts that end soon or have ended, without a record, where somebody else follows at the same desk and not the same person goes on.
select s.id, s.account_id, s.area_code, a.path as area_path, s.kind, coalesce(s.ended_at, s.until_at) as ends_at
from duty_shift s
join area a on a.code = s.area_code and a.valid_to is null
where s.kind = any(:kinds::text[]) and s.cancelled_at is null and s.from_at < :to_at
  and coalesce(s.ended_at, s.until_at) between :from_at and :to_at
  and not exists (select from shift_record r where r.shift_id = s.id)
  and not exists (
    select from duty_shift own
    where own.account_id = s.account_id and own.kind = s.kind and own.area_code = s.area_code and own.cancelled_at is null
      and own.id <> s.id and own.from_at <= coalesce(s.ended_at, s.until_at)
      and coalesce(own.ended_at, own.until_at) > coalesce(s.ended_at, s.until_at)
  )
  and exists (
    select from duty_shift next
    where next.account_id <> s.account_id and next.kind = s.kind and next.area_code = s.area_code and next.cancelled_at is null
      and next.from_at <= coalesce(s.ended_at, s.until_at) + :grace::interval
      and coalesce(next.ended_at, next.until_at) > coalesce(s.ended_at, s.until_at)
  )
order by coalesce(s.ended_at, s.until_at), s.id
limit :count;

-- name: insert_record(shift_id, area_code, area_path, kind, ends_at, due_at, giver_id, drawn_at)$
insert into shift_record (shift_id, area_code, area_path, kind, ends_at, due_at, giver_id, drawn_at)
values (:shift_id, :area_code, :area_path, :kind, :ends_at, :due_at, :giver_id, :drawn_at)
on conflict (shift_id) do nothing
returning id;

-- name: lock_record(record_id)^
select id, shift_id, area_code, area_path, kind, giver_id, giver_role, given_at, given_session, taken_at, ends_at, due_at, sha256
from shift_record where id = :record_id for update;

-- name: give_record(record_id, contents, sha256, ledger_position, ledger, words, given_at, given_session, giver_role)!
update shift_record
set contents = :contents, sha256 = :sha256, ledger_position = :ledger_position, ledger = :ledger, words = :words,
    given_at = :given_at, given_session = :given_session, giver_role = :giver_role
where id = :record_id;

-- name: take_record(record_id, taker_id, taken_at, taken_session, taking_note)!
update shift_record
set taker_id = :taker_id, taken_at = :taken_at, taken_session = :taken_session, taking_note = :taking_note
where id = :record_id;

-- name: follows(record_id, account_id, now, soon)$
-- Whether somebody's shift of the same kind in the same area runs, or begins soon.
select exists (
    select from shift_record r join duty_shift s on s.area_code = r.area_code and s.kind = r.kind
    where r.id = :record_id and s.account_id = :account_id and s.id <> r.shift_id and s.cancelled_at is null
      and s.from_at <= :soon and coalesce(s.ended_at, s.until_at) > :now
);

-- name: insert_remark(record_id, at, actor_id, note)!
insert into shift_remark (record_id, at, actor_id, note) values (:record_id, :at, :actor_id, :note);

-- name: record(record_id)^
select r.*, g.display_name as giver, coalesce(r.giver_role, g.role) as given_as, t.display_name as taker, a.name as area_name
from shift_record r
join account g on g.id = r.giver_id
left join account t on t.id = r.taker_id
left join area a on a.code = r.area_code and a.valid_to is null
where r.id = :record_id;

-- name: records(scope, account_id, role, which, now, soon, before, count)
-- Mine to give, mine to take, or all that I may see; the newest first.
select r.*, g.display_name as giver, coalesce(r.giver_role, g.role) as given_as, t.display_name as taker, a.name as area_name
from shift_record r
join account g on g.id = r.giver_id
left join account t on t.id = r.taker_id
left join area a on a.code = r.area_code and a.valid_to is null
where (r.area_path ^@ :scope or (r.given_at is not null and :account_id in (r.giver_id, r.taker_id)))
  and (
    :which = 'all'
    or (:which = 'give' and r.giver_id = :account_id and r.given_at is null)
    or (
      :which = 'take' and r.giver_id <> :account_id and r.given_at is not null and r.taken_at is null and r.area_path ^@ :scope
      and (
        (:role = 'duty_chief' and r.area_path <> :scope)
        or (
          coalesce(r.giver_role, g.role) = :role
          and exists (
            select from duty_shift s
            where s.account_id = :account_id and s.area_code = r.area_code and s.kind = r.kind and s.id <> r.shift_id
              and s.cancelled_at is null and s.from_at <= :soon and coalesce(s.ended_at, s.until_at) > :now
          )
        )
      )
    )
  )
  and (:before::bigint is null or r.id < :before)
order by r.id desc
limit :count;

-- name: remarks(record_id)
select m.at, p.display_name as by, m.note
from shift_remark m join account p on p.id = m.actor_id
where m.record_id = :record_id
order by m.id;
