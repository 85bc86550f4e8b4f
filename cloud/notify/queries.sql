-- What happened to cases and whom it is told; channels; what was sent.

-- name: due_notices(now, count)
select id from notice_due where not_before <= :now order by not_before, id limit :count;

-- name: lock_planning()$
-- Those who plan take turns: what a person was told is read before it is decided how he is told more.
select pg_advisory_xact_lock(26, 0);

-- name: take_due(due_id, now)^
select d.id, e.id as event_id, e.case_id, e.action as word, e.reason, e.actor_id, e.person_id, e.department_id,
    c.number, c.kind, c.category, c.severity, c.status, c.area_code, c.area_path, c.late, c.drill, c.simulated,
    c.worker_id, c.checker_id, c.department_id as handler_id,
    array(select told.department_id from case_department told where told.case_id = c.id) as offered_ids,
    (select name from area where code = c.area_code and valid_to is null) as area_name
from notice_due d
join case_event e on e.id = d.case_event_id
join grid_case c on c.id = e.case_id
where d.id = :due_id and d.not_before <= :now
for update of d skip locked;

-- name: end_due(due_id)!
delete from notice_due where id = :due_id;

-- name: postpone_due(due_id, not_before)!
update notice_due set not_before = :not_before, attempts = attempts + 1 where id = :due_id;

-- name: untold_warnings(count)
-- What is known beforehand of those who ought to be on duty, and whoever has to know it was not told yet.
select w.id as warning_id, w.kind as word, w.area_code, w.area_path, w.told_account_id, a.name as area_name
from duty_warning w
left join area a on a.code = w.area_code and a.valid_to is null
join account p on p.id = w.told_account_id and p.disabled_at is null
where w.over_at is null
  and not exists (select from notice n where n.warning_id = w.id and n.account_id = w.told_account_id)
order by w.id
limit :count;

-- name: warned_last(account_ids)
-- When each person was rung last for what is known beforehand.
select wanted.account_id, rung.created_at as rung_at
from unnest(:account_ids::bigint[]) as wanted (account_id)
cross join lateral (
    select n.created_at from notice n
    where n.account_id = wanted.account_id and n.manner = 'ring' and n.case_id is null and n.severity is null
        and n.drill_id is null and n.word <> 'test'
    order by n.created_at desc limit 1
) rung;

-- name: insert_warning(account_id, warning_id, word, audience, urgency, manner, because, gather_at, area_code, area_name, cases, now)$
insert into notice (account_id, warning_id, word, audience, urgency, manner, because, gather_at, area_code, area_name, cases, created_at)
values (:account_id, :warning_id, :word, :audience, :urgency, :manner, :because, :gather_at, :area_code, :area_name, :cases, :now)
returning id;

-- name: untold_drill_ends(count)
-- Drills that are over, and nobody was told so yet.
select d.id, d.area_code, d.area_path, d.channels, d.ended_by, a.name as area_name,
    (select count(*) from grid_case c where c.drill_id = d.id)::integer as cases
from drill d
left join area a on a.code = d.area_code and a.valid_to is null
where d.ended_at is not null and d.end_told_at is null
order by d.ended_at, d.id
limit :count
for update of d;

-- name: took_part(drill_id)
-- Whoever had to do with a drill, or was told of a case of it; also of one that was declared real.
with exercised as (
    select id from grid_case where drill_id = :drill_id
    union
    select case_id from drill_step where drill_id = :drill_id and case_id is not null
),
concerned as (
    select s.actor_id as account_id from drill_step s where s.drill_id = :drill_id
    union
    select n.account_id from notice n join exercised x on x.id = n.case_id
    union
    select e.actor_id from case_event e join exercised x on x.id = e.case_id
    union
    select p.id from account p join drill_department d on d.department_id = p.department_id where d.drill_id = :drill_id
)
select a.id as account_id from account a join concerned c on c.account_id = a.id where a.disabled_at is null order by a.id;

-- name: insert_drill_end(account_id, drill_id, word, audience, urgency, manner, because, area_code, area_name, cases, now)$
insert into notice (account_id, drill_id, word, audience, urgency, manner, because, area_code, area_name, cases, drill, created_at)
values (:account_id, :drill_id, :word, :audience, :urgency, :manner, :because, :area_code, :area_name, :cases, true, :now)
on conflict (drill_id, account_id) where drill_id is not null do nothing
returning id;

-- name: drill_end_told(drill_id, now)!
update drill set end_told_at = greatest(ended_at, :now) where id = :drill_id;

-- name: waiting_warnings(now, count)
-- What waits to be told together, of all whose time has come.
select n.id, n.account_id, n.word, n.area_code, n.area_name, n.seen_at, w.over_at is null as is_open
from notice n
join duty_warning w on w.id = n.warning_id
where n.manner = 'gathered' and n.gathered_into is null and n.gather_at <= :now
order by n.id
limit :count
for update of n;

-- name: candidates(area_path, roles, account_ids, department_ids)
-- Whoever could be told of something at a place: those of some roles, of some departments, and persons by their ids.
select a.id, a.role, a.department_id, case when a.area_code is null then '' else r.path end as area_path
from account a
left join area r on r.code = a.area_code and r.valid_to is null
where a.disabled_at is null
  and (a.area_code is null or :area_path ^@ r.path)
  and (a.role = any(:roles::text[]) or a.id = any(:account_ids::bigint[]) or a.department_id = any(:department_ids::bigint[]));

-- name: told_since(account_ids, since, drill)
-- The newest of each person: beyond a few hundred it is a storm anyway.
select n.account_id, n.created_at, n.case_id, n.kind, n.severity, n.word, n.urgency, n.manner, n.because,
    (select reason from case_event where id = n.case_event_id) as reason
from unnest(:account_ids::bigint[]) as wanted (account_id)
cross join lateral (
    select * from notice
    where account_id = wanted.account_id and created_at > :since and severity is not null and drill = :drill
    order by created_at desc limit 400
) n;

-- name: preferences(account_ids)
select account_id, quiet_from, quiet_to, digest_min, language
from notice_preference where account_id = any(:account_ids::bigint[]);

-- name: gathering(account_ids)
select account_id, min(gather_at) as gather_at
from notice
where account_id = any(:account_ids::bigint[]) and manner = 'gathered' and gathered_into is null and case_id is not null
group by account_id;

-- name: insert_notice(account_id, case_id, case_event_id, word, audience, urgency, manner, because, gather_at, cases, number, kind, category, severity, status, area_code, area_name, drill, simulated, now)$
insert into notice (
    account_id, case_id, case_event_id, word, audience, urgency, manner, because, gather_at, cases, number, kind, category,
    severity, status, area_code, area_name, drill, simulated, created_at
) values (
    :account_id, :case_id, :case_event_id, :word, :audience, :urgency, :manner, :because, :gather_at, :cases, :number, :kind,
    :category, :severity::severity, :status, :area_code, :area_name, :drill, :simulated, :now
)
on conflict (case_event_id, account_id) do nothing
returning id;

-- name: queue_first(notice_id, account_id, now)!
-- On the channels that come first with this person.
insert into notice_delivery (notice_id, channel_id, state, due_at)
select :notice_id, id, 'queued', :now
from notice_channel c
where account_id = :account_id and disabled_at is null
  and place = (select min(place) from notice_channel f where f.account_id = c.account_id and f.disabled_at is null)
on conflict do nothing;

-- name: queue_everywhere(notice_id, account_id, now)!
insert into notice_delivery (notice_id, channel_id, state, due_at)
select :notice_id, id, 'queued', :now from notice_channel where account_id = :account_id and disabled_at is null
on conflict do nothing;

-- name: queue_next(notice_id, now)!
-- Where all channels of the places so far have given up: those of the next place.
insert into notice_delivery (notice_id, channel_id, state, due_at)
select n.id, c.id, 'queued', :now
from notice n
join notice_channel c on c.account_id = n.account_id and c.disabled_at is null
where n.id = :notice_id
  and not exists (select from notice_delivery d where d.notice_id = n.id and d.state <> 'given_up')
  and c.place = (
    select min(f.place) from notice_channel f
    where f.account_id = n.account_id and f.disabled_at is null
      and not exists (select from notice_delivery d where d.notice_id = n.id and d.channel_id = f.id)
  )
on conflict do nothing;

-- name: accounts_to_gather(now, count)
select account_id from notice
where manner = 'gathered' and gathered_into is null and gather_at <= :now and case_id is not null
group by account_id order by min(gather_at) limit :count;

-- name: waiting_of(account_id, running)
-- What waits to be gathered for a person, with how the cases stand now; what is real first, the worst first.
select n.id, n.case_id, n.urgency, n.seen_at, c.number, c.kind, c.category, c.severity, c.status, c.area_code, c.area_path, c.drill,
    c.simulated, c.status = any(:running::text[]) as is_running,
    (select name from area where code = c.area_code and valid_to is null) as area_name
from notice n
join grid_case c on c.id = n.case_id
where n.account_id = :account_id and n.manner = 'gathered' and n.gathered_into is null
order by c.drill, c.simulated, c.severity desc, n.id
for update of n;

-- name: hold_gathered(ids, gather_at)!
update notice set gather_at = :gather_at where id = any(:ids::bigint[]);

-- name: gather_into(ids, summary_id)!
update notice set gathered_into = :summary_id where id = any(:ids::bigint[]);

-- name: no_need_to_gather(ids)!
update notice set manner = 'quiet', because = 'over', gather_at = null where id = any(:ids::bigint[]);

-- name: claim_deliveries(now, claimed_until, kind, count)
-- The worst first. What somebody claimed and did not end in time is claimed again: at most once more after a crash.
update notice_delivery d
set claimed_until = :claimed_until, attempts = attempts + 1
from notice n, notice_channel c, (
    select q.id
    from notice_delivery q
    join notice_channel k on k.id = q.channel_id
    join notice t on t.id = q.notice_id
    where q.state = 'queued' and q.due_at <= :now and (q.claimed_until is null or q.claimed_until < :now) and k.kind = :kind
    order by t.severity desc nulls last, q.due_at
    limit :count
    for update of q skip locked
) taken
where d.id = taken.id and n.id = d.notice_id and c.id = d.channel_id
returning d.id, d.notice_id, d.attempts, c.id as channel_id, c.kind, c.target, n.account_id, n.seen_at, n.word,
    n.case_id, n.number, n.category, n.severity, n.area_name, n.status, n.cases, n.drill, n.simulated, n.urgency,
    coalesce(c.disabled_at, (select disabled_at from account where id = n.account_id)) as disabled_at,
    coalesce((select language from notice_preference p where p.account_id = n.account_id), 'zh') as language;

-- name: end_delivery(delivery_id, state, failure, now)!
update notice_delivery set state = :state, failure = :failure, ended_at = :now, claimed_until = null
where id = :delivery_id and state = 'queued';

-- name: try_delivery_again(delivery_id, failure, due_at)!
update notice_delivery set failure = :failure, due_at = :due_at, claimed_until = null
where id = :delivery_id and state = 'queued';

-- name: channel_worked(channel_id, now)!
update notice_channel set worked_at = :now, failure = null where id = :channel_id;

-- name: channel_failed(channel_id, failure, now)!
update notice_channel set failed_at = :now, failure = :failure where id = :channel_id;

-- name: channel_gone(channel_id, now)!
update notice_channel set disabled_at = :now, target = ''::bytea where id = :channel_id and disabled_at is null;

-- name: insert_channel(account_id, kind, label, place, target, fingerprint, now, created_by)$
insert into notice_channel (account_id, kind, label, place, target, fingerprint, created_at, created_by)
values (:account_id, :kind, :label, :place, :target, :fingerprint, :now, :created_by)
returning id;

-- name: forget_browser(fingerprint, now)!
update notice_channel set disabled_at = :now, target = ''::bytea where kind = 'web_push' and fingerprint = :fingerprint and disabled_at is null;

-- name: lock_account(account_id)^
select id, disabled_at from account where id = :account_id for update;

-- name: count_channels(account_id)$
select count(*) from notice_channel where account_id = :account_id and disabled_at is null;

-- name: channels_of(account_id)
select id, account_id, kind, label, place, created_at, worked_at, failed_at, failure
from notice_channel where account_id = :account_id and disabled_at is null order by place, id;

-- name: latest_deliveries(account_id, states, count)
-- What was sent to people outside of the page, the newest first, and how far it came.
select d.id, d.notice_id, n.account_id, a.name as account, a.display_name, n.word, n.number, k.id as channel_id, k.kind, k.label, d.state,
    d.attempts, d.due_at, d.ended_at, d.failure, n.created_at
from notice_delivery d
join notice n on n.id = d.notice_id
join notice_channel k on k.id = d.channel_id
join account a on a.id = n.account_id
where (:account_id::bigint is null or n.account_id = :account_id)
  and (:states::text[] is null or d.state = any(:states::text[]))
order by d.id desc
limit :count;

-- name: channel_by_id(channel_id)^
select id, account_id, kind, label, place, created_at, worked_at, failed_at, failure
from notice_channel where id = :channel_id and disabled_at is null;

-- name: threads(account_id, before, count)
-- The newest notice of each thread with how much there is in it.
select n.id, n.case_id, n.word, n.urgency, n.manner, n.cases, n.number, n.kind, n.category, n.severity, n.status, n.area_code,
    n.area_name, n.drill, n.simulated, n.created_at, t.news, t.unseen, n.drill_id, d.name as drill_name
from (
    select max(id) as id, count(*) as news, count(*) filter (where seen_at is null) as unseen
    from notice where account_id = :account_id
    group by coalesce(case_id, -id)
) t
join notice n on n.id = t.id
left join drill d on d.id = n.drill_id
where n.id < :before
order by n.id desc
limit :count;

-- name: count_unseen(account_id)$
select count(distinct coalesce(case_id, -id)) from notice where account_id = :account_id and seen_at is null;

-- name: see_upto(account_id, upto, now)!
update notice set seen_at = :now where account_id = :account_id and id <= :upto and seen_at is null;

-- name: see_one(account_id, notice_id, now)!
update notice set seen_at = :now where account_id = :account_id and id = :notice_id and seen_at is null;

-- name: see_case(account_id, case_id, upto, now)!
update notice set seen_at = :now
where account_id = :account_id and case_id = :case_id and id <= :upto and seen_at is null;

-- name: put_preference(account_id, quiet_from, quiet_to, digest_min, language, now)!
insert into notice_preference (account_id, quiet_from, quiet_to, digest_min, language, changed_at)
values (:account_id, :quiet_from, :quiet_to, :digest_min, :language, :now)
on conflict (account_id) do update set
    quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, digest_min = excluded.digest_min,
    language = excluded.language, changed_at = excluded.changed_at;

-- name: told_of_case(case_id, count)
-- Who was told of a case, the newest first, and how far it came on each channel; of a gathered one, how far the summary came.
select n.id, n.account_id, a.display_name, a.role, n.word, n.audience, n.manner, n.because, n.created_at, n.seen_at, n.gather_at,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'kind', k.kind, 'label', k.label, 'state', d.state, 'attempts', d.attempts, 'failure', d.failure, 'ended_at', d.ended_at
        ) order by d.id)
        from notice_delivery d join notice_channel k on k.id = d.channel_id
        where d.notice_id = coalesce(n.gathered_into, n.id)
    ), '[]'::jsonb) as deliveries
from notice n
join account a on a.id = n.account_id
where n.case_id = :case_id
order by n.id desc
limit :count;

-- name: case_for_rehearsal(case_id)^
select c.id, c.severity, c.status, c.area_path, c.late, c.worker_id, c.checker_id, c.department_id as handler_id, c.kind,
    array(select told.department_id from case_department told where told.case_id = c.id) as offered_ids
from grid_case c where c.id = :case_id;

-- name: names_of(account_ids)
select a.id, a.display_name, a.role, (select min(place) from account_reachable r where r.account_id = a.id) is not null as is_reachable
from account a where a.id = any(:account_ids::bigint[]);

-- name: prune_notices(before, count)!
-- Their deliveries go with them. A summary goes after what it gathered.
delete from notice where id in (
    select n.id from notice n
    where n.created_at < :before and not exists (select from notice g where g.gathered_into = n.id and g.created_at >= :before)
    order by n.gathered_into is null, n.created_at limit :count
);

-- name: forget_channel(channel_id, now)!
-- Its row stays for the record of what was sent; its address goes.
update notice_channel set disabled_at = :now, target = ''::bytea where id = :channel_id and disabled_at is null;

-- name: account_place(account_id)^
select case when a.area_code is null then '' else coalesce(r.path, '') end as area_path
from account a left join area r on r.code = a.area_code and r.valid_to is null
where a.id = :account_id;

-- name: tested_since(channel_id, word, since)$
select count(*) from notice_delivery d join notice n on n.id = d.notice_id
where d.channel_id = :channel_id and n.word = :word and n.created_at > :since;

-- name: queue_on(notice_id, channel_id, now)!
insert into notice_delivery (notice_id, channel_id, state, due_at) values (:notice_id, :channel_id, 'queued', :now);
