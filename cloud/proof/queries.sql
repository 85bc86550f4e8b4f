-- Chains of cases, exports, holds, and who opens sealed originals.

-- name: lock_chain()$
-- Two that link take turns.
select pg_advisory_xact_lock(28, 0);

-- name: facts_to_link(count, case_id)
select w.id, w.case_id, c.number, w.kind, w.event_id, e.at, actor.name as actor, e.action, e.from_status, e.to_status, e.reason,
    e.note, e.severity::text as severity, person.name as person, department.code as department, other.number as other_case,
    e.until, e.rating, coalesce(i.node, w.node) as node, i.incident_id, r.revision, encode(r.sha256, 'hex') as revision_sha256,
    r.received_at, r.historical, w.sha256, w.reason as deletion_reason, w.at as deleted_at
from case_link_waiting w
join grid_case c on c.id = w.case_id
left join case_event e on e.id = w.event_id
left join incident i on i.id = coalesce(w.incident_id, e.incident_id)
left join incident_revision r on r.incident_id = w.incident_id and r.revision = w.revision
left join account actor on actor.id = e.actor_id
left join account person on person.id = e.person_id
left join department on department.id = e.department_id
left join grid_case other on other.id = e.other_case_id
where :case_id::bigint is null or w.case_id = :case_id
order by w.id
limit :count;

-- name: ledger_head()^
select position, ledger from case_link order by position desc limit 1;

-- name: heads_of(case_ids)
select distinct on (case_id) case_id, place, hash
from case_link
where case_id = any(:case_ids::bigint[])
order by case_id, place desc;

-- name: insert_links(positions, case_ids, places, kinds, event_ids, statements, ledgers, keys, sigs)!
insert into case_link (position, case_id, place, kind, event_id, statement, ledger, key, sig)
select * from unnest(
    :positions::bigint[], :case_ids::bigint[], :places::integer[], :kinds::text[], :event_ids::bigint[],
    :statements::bytea[], :ledgers::bytea[], :keys::text[], :sigs::text[]
);

-- name: wait_no_more(ids)!
delete from case_link_waiting where id = any(:ids::bigint[]);

-- name: links_of(case_id, after, count)
select place, statement, key, sig from case_link where case_id = :case_id and place > :after order by place limit :count;

-- name: all_links()
select l.position, l.case_id, l.place, l.kind, l.event_id, l.statement, l.hash, l.ledger, l.key, l.sig, c.number, e.at, actor.name as actor,
    e.action, e.from_status, e.to_status, e.reason, e.note, e.severity::text as severity, person.name as person,
    department.code as department, other.number as other_case, e.until, e.rating, i.node, i.incident_id
from case_link l
join grid_case c on c.id = l.case_id
left join case_event e on e.id = l.event_id
left join incident i on i.id = e.incident_id
left join account actor on actor.id = e.actor_id
left join account person on person.id = e.person_id
left join department on department.id = e.department_id
left join grid_case other on other.id = e.other_case_id
order by l.position;

-- name: waiting()$
select count(*) from case_link_waiting;

-- name: unlinked()$
-- Steps of histories that no link holds, and none waits for.
select count(*)
from case_event e
where not exists (select from case_link l where l.event_id = e.id)
    and not exists (select from case_link_waiting w where w.event_id = e.id);

-- name: last_checkpoint()^
select position, ledger, made_at, key, sig from case_checkpoint order by position desc limit 1;

-- name: checkpoints()
select position, ledger, made_at, key, sig from case_checkpoint order by position;

-- name: insert_checkpoint(position, ledger, made_at, key, sig)!
insert into case_checkpoint (position, ledger, made_at, key, sig) values (:position, :ledger, :made_at, :key, :sig);

-- name: note_key(public_key, first_used_at)!
insert into proof_key (public_key, first_used_at) values (:public_key, :first_used_at) on conflict do nothing;

-- name: endorse_key(public_key, first_used_at, endorsed_by, endorsement)!
insert into proof_key (public_key, first_used_at, endorsed_by, endorsement)
values (:public_key, :first_used_at, :endorsed_by, :endorsement)
on conflict do nothing;

-- name: proof_keys()
select public_key, first_used_at, endorsed_by, endorsement from proof_key order by first_used_at, public_key;

-- name: case_to_prove(number, case_id, scope)^
select id, number, area_path, kind, category, severity::text as severity, status, origin, drill, simulated, area_code, node, device, opened_at
from grid_case
where (number = :number or id = :case_id) and area_path ^@ :scope;

-- name: revisions(nodes, incidents, revisions)
select i.node, i.incident_id, r.revision, r.raw
from unnest(:nodes::text[], :incidents::uuid[], :revisions::bigint[]) as wanted (node, incident_id, revision)
join incident i on i.node = wanted.node and i.incident_id = wanted.incident_id
join incident_revision r on r.incident_id = i.id and r.revision = wanted.revision;

-- name: revision_facts(nodes, incidents, revisions)
-- By the bytes, not by the column that says their hash.
select i.node, i.incident_id, r.revision, encode(sha256(r.raw), 'hex') as revision_sha256, r.received_at, r.historical
from unnest(:nodes::text[], :incidents::uuid[], :revisions::bigint[]) as wanted (node, incident_id, revision)
join incident i on i.node = wanted.node and i.incident_id = wanted.incident_id
join incident_revision r on r.incident_id = i.id and r.revision = wanted.revision;

-- name: kept_files(nodes, names)
select e.node, e.sha256, e.stored_at is not null as is_stored, e.pruned_at, e.pruned_reason
from unnest(:nodes::text[], :names::text[]) as wanted (node, sha256)
join evidence e on e.node = wanted.node and e.sha256 = wanted.sha256;

-- name: node_keys(nodes)
-- Keys of nodes, and by whose claim code they were bound.
select n.name as node, k.public_key, k.bound_at, k.signs_from, k.replaced_at, c.made_by_name as bound_by
from node n
join node_key k on k.node_id = n.id
left join lateral (
    select made_by_name from claim where claim.node = n.name and claim.used_key = k.public_key order by used_at desc limit 1
) c on true
where :nodes::text[] is null or n.name = any(:nodes::text[])
order by n.name, k.bound_at, k.id;

-- name: lock_case(case_id, scope)^
select id, number, area_path, status from grid_case where id = :case_id and area_path ^@ :scope for update;

-- name: holds_of(case_id)
select h.id, h.case_id, h.reason, h.until, s.name as set_by, h.set_at, h.set_in, a.level, a.name as area,
    l.name as lifted_by, h.lifted_at, h.lift_note, case when h.lifted_at is null then unkept.files else 0 end as unkept
from legal_hold h
join account s on s.id = h.set_by
left join account l on l.id = h.lifted_by
left join lateral (select level, name from area where path = h.set_in order by valid_from desc limit 1) a on true
cross join (
    select count(distinct e.sha256) as files
    from case_incident ci
    join incident_evidence ie on ie.incident_id = ci.incident_id
    join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is null
    join sealed_order o on o.node = e.node and o.sha256 = e.sha256 and o.wish = 'keep' and o.unkept is not null
    where ci.case_id = :case_id
) unkept
where h.case_id = :case_id
order by h.id;

-- name: add_hold(case_id, reason, until, set_by, set_at, set_in)$
insert into legal_hold (case_id, reason, until, set_by, set_at, set_in)
values (:case_id, :reason, :until, :set_by, :set_at, :set_in)
returning id;

-- name: hold(hold_id)^
select case_id, set_in from legal_hold where id = :hold_id;

-- name: lift_hold(hold_id, lifted_by, lifted_at, note)!
update legal_hold set lifted_by = :lifted_by, lifted_at = :lifted_at, lift_note = :note where id = :hold_id and lifted_at is null;

-- name: sealed_files_of(case_id)
select distinct on (e.sha256) e.sha256, e.bytes, e.plain_sha256, e.stored_at is not null as is_stored, ie.captured_at
from case_incident ci
join incident_evidence ie on ie.incident_id = ci.incident_id
join evidence e on e.node = ie.node and e.sha256 = ie.sha256
where ci.case_id = :case_id and e.kind = 'sealed'
order by e.sha256, e.stored_at nulls last;

-- name: count_open_requests(case_id, now)$
select count(*) from unseal_request where case_id = :case_id and allowed is null and expires_at > :now;

-- name: close_overdue(case_id, sha256, asked_by, now)!
-- What nobody decided in time stands in nobody's way.
delete from unseal_request
where case_id = :case_id and sha256 = :sha256 and asked_by = :asked_by and allowed is null and expires_at <= :now;

-- name: ask_unseal(case_id, sha256, purpose, asked_by, asked_at, expires_at, unmarked)$
insert into unseal_request (case_id, sha256, purpose, asked_by, asked_at, expires_at, unmarked)
values (:case_id, :sha256, :purpose, :asked_by, :asked_at, :expires_at, :unmarked)
on conflict do nothing
returning id;

-- name: unseal_request(request_id, scope)^
select r.id, r.case_id, c.number as case_number, c.area_path, r.sha256, r.purpose, r.asked_by as asked_by_id, a.name as asked_by, r.asked_at,
    r.decided_by as decided_by_id, d.name as decided_by, r.decided_at, r.allowed, r.expires_at, r.handed_at, r.handed_by, r.ready_at, r.gone_at, r.unserved_at, r.unserved_reason, r.unmarked,
    exists (select from sealed_order o where o.sha256 = r.sha256 and o.wish = 'upload' and o.answer = 'ordered') as is_fetching
from unseal_request r
join grid_case c on c.id = r.case_id and c.area_path ^@ :scope
join account a on a.id = r.asked_by
left join account d on d.id = r.decided_by
where r.id = :request_id;

-- name: unseal_requests(scope, case_id, before, count)
select r.id, r.case_id, c.number as case_number, c.area_path, r.sha256, r.purpose, r.asked_by as asked_by_id, a.name as asked_by, r.asked_at,
    r.decided_by as decided_by_id, d.name as decided_by, r.decided_at, r.allowed, r.expires_at, r.handed_at, r.handed_by, r.ready_at, r.gone_at, r.unserved_at, r.unserved_reason, r.unmarked,
    exists (select from sealed_order o where o.sha256 = r.sha256 and o.wish = 'upload' and o.answer = 'ordered') as is_fetching
from unseal_request r
join grid_case c on c.id = r.case_id and c.area_path ^@ :scope
join account a on a.id = r.asked_by
left join account d on d.id = r.decided_by
where (:case_id::bigint is null or r.case_id = :case_id) and (:before::bigint is null or r.id < :before)
order by r.id desc
limit :count;

-- name: decide_unseal(request_id, decided_by, decided_at, allowed, expires_at, ready_at)!
-- Two who decide at once: the second finds nothing to decide.
update unseal_request
set decided_by = :decided_by, decided_at = :decided_at, allowed = :allowed, expires_at = :expires_at, ready_at = :ready_at
where id = :request_id and allowed is null and expires_at > :decided_at and asked_by <> :decided_by;

-- name: take_unseal(request_id, now, handed_by)!
-- Once: whoever comes second finds it taken.
update unseal_request set handed_at = :now, handed_by = :handed_by
where id = :request_id and allowed and ready_at is not null and handed_at is null and expires_at > :now;

-- name: lock_orders()$
-- Two that look after orders take turns.
select pg_advisory_xact_lock(28, 1);

-- name: order_uploads(now, count)!
-- What two people want to see and is not here: each of its nodes is to send it, until the permission ends. A file that was fetched and
-- has gone again is ordered anew.
insert into sealed_order (node, sha256, wish, until, ordered_by, ordered_at, next_at)
select distinct on (e.node, e.sha256) e.node, e.sha256, 'upload', r.expires_at, r.decided_by, :now, :now
from unseal_request r
join case_incident ci on ci.case_id = r.case_id
join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.kind = 'sealed' and e.stored_at is null
left join sealed_order o on o.node = e.node and o.sha256 = e.sha256 and o.wish = 'upload'
where r.allowed and r.handed_at is null and r.ready_at is null and r.gone_at is null and r.expires_at > :now
    and (o.node is null or o.until < r.expires_at)
order by e.node, e.sha256, r.expires_at desc
limit :count
on conflict (node, sha256, wish) do update
set until = excluded.until, ordered_by = excluded.ordered_by, ordered_at = excluded.ordered_at, next_at = excluded.next_at,
    tries = 0, command_id = null, answer = null, answered_at = null, words = null, unkept = null, repeats = 0;

-- name: order_keeping(now, count)!
-- What belongs to a held case and lies at its node, which may have sent a copy, is to stay there, until the last of its holds ends.
insert into sealed_order (node, sha256, wish, until, ordered_by, ordered_at, next_at)
select held.node, held.sha256, 'keep', held.until, held.set_by, :now, :now
from (
    select e.node, e.sha256, case when bool_or(h.until is null) then null else max(h.until) end as until,
        (array_agg(h.set_by order by h.id desc))[1] as set_by
    from legal_hold h
    join case_incident ci on ci.case_id = h.case_id
    join incident_evidence ie on ie.incident_id = ci.incident_id
    join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.kind = 'sealed'
    left join sealed_order sent on sent.node = e.node and sent.sha256 = e.sha256 and sent.wish = 'upload'
    where h.lifted_at is null and (h.until is null or h.until > :now) and (e.stored_at is null or e.stored_at >= sent.promised_at)
    group by e.node, e.sha256
) held
left join sealed_order o on o.node = held.node and o.sha256 = held.sha256 and o.wish = 'keep'
where o.node is null or o.until is distinct from held.until
limit :count
on conflict (node, sha256, wish) do update
set until = excluded.until, ordered_by = excluded.ordered_by, ordered_at = excluded.ordered_at, next_at = excluded.next_at,
    tries = 0, command_id = null, answer = null, answered_at = null, words = null, unkept = null, repeats = 0;

-- name: end_keeping(now, count)!
-- What no hold stands for any more need not stay longer than all others.
update sealed_order
set until = :now, ordered_at = :now, next_at = :now, tries = 0, command_id = null, answer = null, answered_at = null, unkept = null,
    repeats = 0
where (node, sha256, wish) in (
    select o.node, o.sha256, o.wish
    from sealed_order o
    where o.wish = 'keep' and (o.until is null or o.until > :now)
        and not exists (
            select from incident_evidence ie
            join case_incident ci on ci.incident_id = ie.incident_id
            join legal_hold h on h.case_id = ci.case_id and h.lifted_at is null and (h.until is null or h.until > :now)
            where ie.node = o.node and ie.sha256 = o.sha256
        )
    limit :count
);

-- name: repeat_keeping(now, first_wait, longest_wait, most, count)!
-- What a node could not promise for a hold it is asked anew, more and more seldom: room comes, and nodes are updated.
update sealed_order
set command_id = null, answer = null, answered_at = null, next_at = :now, tries = 0, repeats = repeats + 1
where (node, sha256, wish) in (
    select o.node, o.sha256, o.wish
    from sealed_order o
    where o.wish = 'keep' and o.answer in ('no_room', 'refused') and (o.until is null or o.until > :now) and o.repeats < :most
        and o.answered_at <= :now - least(:first_wait::interval * (2 ^ least(o.repeats, 16)), :longest_wait::interval)
    order by o.answered_at
    limit :count
);

-- name: order_confirming(now, handed_before, confirmed_before, denied_before, count)!
-- Before a copy goes its node is asked whether it has the file still: the end of a hold that no case has any more, which costs it nothing.
insert into sealed_order (node, sha256, wish, until, ordered_by, ordered_at, next_at)
select sent.node, sent.sha256, 'keep', :now, sent.ordered_by, :now, :now
from sealed_order sent
join evidence e on e.node = sent.node and e.sha256 = sent.sha256 and e.stored_at >= sent.promised_at
left join sealed_order o on o.node = e.node and o.sha256 = e.sha256 and o.wish = 'keep'
where sent.wish = 'upload'
    and (o.node is null or o.answered_at < case when o.answer in ('kept', 'released') then :confirmed_before::timestamptz else :denied_before::timestamptz end)
    and not exists (
        select from unseal_request r
        where r.sha256 = e.sha256 and r.allowed
            and ((r.handed_at is null and r.gone_at is null and r.expires_at > :now) or r.handed_at > :handed_before)
    )
    and not exists (
        select from incident_evidence ie
        join case_incident ci on ci.incident_id = ie.incident_id
        join legal_hold h on h.case_id = ci.case_id and h.lifted_at is null and (h.until is null or h.until > :now)
        where ie.node = e.node and ie.sha256 = e.sha256
    )
order by sent.node, sent.sha256
limit :count
on conflict (node, sha256, wish) do update
set until = excluded.until, ordered_by = excluded.ordered_by, ordered_at = excluded.ordered_at, next_at = excluded.next_at,
    tries = 0, command_id = null, answer = null, answered_at = null, words = null, unkept = null, repeats = 0;

-- name: orders_to_settle(count)
-- What was brought to nodes, and what became of the command; `state` null where that is gone.
select o.node, o.sha256, o.wish, o.tries, o.unkept, c.state, c.reason, c.result, c.asked_at
from sealed_order o
left join command c on c.id = o.command_id
where o.answer is null and o.command_id is not null and (c.id is null or c.ended_at is not null)
order by o.node, o.sha256
limit :count;

-- name: settle_order(node, sha256, wish, answer, words, asked_at, now)!
update sealed_order
set answer = :answer, answered_at = :now, words = :words,
    unkept = case when wish = 'keep' and :answer in ('no_room', 'gone', 'refused') then :answer end,
    promised_at = case when :answer = 'ordered' and wish = 'upload' then coalesce(promised_at, :asked_at) else promised_at end
where node = :node and sha256 = :sha256 and wish = :wish;

-- name: try_order_again(node, sha256, wish, next_at)!
update sealed_order set command_id = null, answer = null, answered_at = null, tries = tries + 1, next_at = :next_at
where node = :node and sha256 = :sha256 and wish = :wish;

-- name: remind(now, asked_before)!
-- What a node wanted to send and has not: perhaps it has forgotten (its store was damaged), perhaps it has lost the file.
update sealed_order o
set command_id = null, answer = null, answered_at = null, next_at = :now
from evidence e
where e.node = o.node and e.sha256 = o.sha256 and e.stored_at is null
    and o.wish = 'upload' and o.answer = 'ordered' and o.answered_at < :asked_before and o.until > :now
    and exists (
        select from unseal_request r
        where r.sha256 = o.sha256 and r.allowed and r.handed_at is null and r.ready_at is null and r.gone_at is null and r.expires_at > :now
    );

-- name: nodes_to_order(now, count)
-- Nodes that are present, have something to hear, and are not busy with a command of that kind. Of each node and wish what waits longest, and
-- in turn, whoever was asked longest ago first: none holds up the others, however much it has to hear.
select due.node, due.wish, due.until
from (
    select distinct on (o.node, o.wish) o.node, o.wish, o.until, o.next_at, n.id as node_id,
        case o.wish when 'upload' then 'upload_sealed' else 'keep_sealed' end as command
    from sealed_order o
    join node n on n.name = o.node and n.presence = 'online'
    where o.answer is null and o.command_id is null and o.next_at <= :now and (o.wish = 'keep' or o.until > :now)
        and not exists (
            select from command c
            where c.node_id = n.id and c.device is null and c.state in ('queued', 'sent', 'delivered') and c.deadline > :now
                and c.name = case o.wish when 'upload' then 'upload_sealed' else 'keep_sealed' end
        )
    order by o.node, o.wish, o.next_at, o.until
) due
left join lateral (select max(c.asked_at) as asked_at from command c where c.node_id = due.node_id and c.name = due.command) last on true
order by last.asked_at nulls first, due.next_at, due.node, due.wish
limit :count;

-- name: defer_orders(node, wish, until, now, next_at)!
-- A node that could not be asked just now goes to the end of the line.
update sealed_order set next_at = :next_at
where node = :node and wish = :wish and until is not distinct from :until and answer is null and command_id is null and next_at <= :now;

-- name: orders_of_node(node, wish, until, now, count)
select o.sha256, a.id as account_id, a.name, a.display_name, a.role
from sealed_order o
join account a on a.id = o.ordered_by
where o.node = :node and o.wish = :wish and o.until is not distinct from :until and o.answer is null and o.command_id is null
    and o.next_at <= :now
order by o.ordered_at, o.sha256
limit :count
for no key update of o;

-- name: bring_orders(node, wish, names, command_id)!
update sealed_order set command_id = :command_id where node = :node and wish = :wish and sha256 = any(:names::text[]);

-- name: cases_of_file(node, sha256)
-- Held cases that name a file of which there is no copy here.
select distinct h.case_id
from incident_evidence ie
join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is null
join case_incident ci on ci.incident_id = ie.incident_id
join legal_hold h on h.case_id = ci.case_id and h.lifted_at is null
where ie.node = :node and ie.sha256 = :sha256
order by h.case_id;

-- name: requests_ready(now, count)
-- Allowed, and the file has come.
select r.id, r.sha256
from unseal_request r
where r.allowed and r.handed_at is null and r.ready_at is null and r.gone_at is null and r.unserved_at is null and r.expires_at > :now
    and exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is not null
        where ci.case_id = r.case_id
    )
order by r.id
limit :count;

-- name: requests_bereft(now, count)
-- Allowed and ready, and the file is here no more.
select r.id, r.sha256
from unseal_request r
where r.allowed and r.handed_at is null and r.ready_at is not null and r.gone_at is null and r.expires_at > :now
    and not exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is not null
        where ci.case_id = r.case_id
    )
order by r.id
limit :count;

-- name: mark_bereft(request_id, expires_at)!
-- It waits for its file again.
update unseal_request r set ready_at = null, expires_at = :expires_at
where id = :request_id and allowed and ready_at is not null and gone_at is null and handed_at is null
    and not exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is not null
        where ci.case_id = r.case_id
    );

-- name: requests_gone(now, count)
-- Allowed, and each node that named the file has it no more. Where no incident of the case names it any more, for the case was parted, nobody
-- has said so: that request ends with its time.
select r.id
from unseal_request r
where r.allowed and r.handed_at is null and r.ready_at is null and r.gone_at is null and r.unserved_at is null and r.expires_at > :now
    and exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        where ci.case_id = r.case_id
    )
    and not exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        left join sealed_order o on o.node = ie.node and o.sha256 = ie.sha256 and o.wish = 'upload' and o.answer = 'gone'
        where ci.case_id = r.case_id and o.node is null
    )
order by r.id
limit :count;

-- name: mark_ready(request_id, now, expires_at)!
-- The file is asked for once more, for whoever holds its lock sees it as it stays.
update unseal_request r set ready_at = :now, expires_at = :expires_at
where id = :request_id and allowed and ready_at is null and gone_at is null and unserved_at is null and handed_at is null
    and exists (
        select from case_incident ci
        join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
        join evidence e on e.node = ie.node and e.sha256 = ie.sha256 and e.stored_at is not null
        where ci.case_id = r.case_id
    );

-- name: mark_gone(request_id, now)!
update unseal_request set gone_at = :now
where id = :request_id and allowed and ready_at is null and gone_at is null and handed_at is null;

-- name: requests_unserved(now, count)
-- Allowed, and over without its file: its time is, or each node has it no more or can't hand it in. Why: of its nodes the one that came nearest.
select r.id, coalesce(why.reason, 'not_named') as reason, why.words
from unseal_request r
left join lateral (
    select case
            when o.answer in ('not_taken', 'refused', 'gone') then o.answer
            when n.presence is distinct from 'online' then 'node_away'
            when o.answer = 'ordered' then 'not_sent'
            else 'not_answered'
        end as reason,
        o.words
    from case_incident ci
    join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
    left join node n on n.name = ie.node
    left join sealed_order o on o.node = ie.node and o.sha256 = ie.sha256 and o.wish = 'upload'
    where ci.case_id = r.case_id
    order by array_position(array['not_taken', 'ordered', 'refused', 'gone'], o.answer), ie.node
    limit 1
) why on true
where r.allowed and r.handed_at is null and r.ready_at is null and r.gone_at is null and r.unserved_at is null
    and (
        r.expires_at <= :now
        or (
            why.reason is not null
            and not exists (
                select from case_incident ci
                join incident_evidence ie on ie.incident_id = ci.incident_id and ie.sha256 = r.sha256
                left join sealed_order o on o.node = ie.node and o.sha256 = ie.sha256 and o.wish = 'upload' and o.answer in ('gone', 'not_taken')
                where ci.case_id = r.case_id and o.node is null
            )
        )
    )
order by r.id
limit :count;

-- name: mark_unserved(request_id, now, reason)!
update unseal_request set unserved_at = :now, unserved_reason = :reason
where id = :request_id and allowed and ready_at is null and gone_at is null and unserved_at is null and handed_at is null;

-- name: fetched_files(now, handed_before, confirmed_since, sha256, count)
-- What nodes sent because it was ordered, and have said anew that they keep: nobody has a permission for it any more, and no case of it is
-- held. Of one hash alone where it is named.
select e.node, e.sha256, e.kind, e.bytes
from sealed_order sent
join evidence e on e.node = sent.node and e.sha256 = sent.sha256 and e.stored_at >= sent.promised_at
join sealed_order kept on kept.node = e.node and kept.sha256 = e.sha256 and kept.wish = 'keep'
    and kept.answer in ('kept', 'released') and kept.answered_at >= :confirmed_since
where sent.wish = 'upload' and (:sha256::text is null or e.sha256 = :sha256)
    and not exists (
        select from unseal_request r
        where r.sha256 = e.sha256 and r.allowed
            and ((r.handed_at is null and r.gone_at is null and r.expires_at > :now) or r.handed_at > :handed_before)
    )
    and not exists (
        select from incident_evidence ie
        join case_incident ci on ci.incident_id = ie.incident_id
        join legal_hold h on h.case_id = ci.case_id and h.lifted_at is null and (h.until is null or h.until > :now)
        where ie.node = e.node and ie.sha256 = e.sha256
    )
order by e.node, e.sha256
limit :count;
