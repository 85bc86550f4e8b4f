-- Refused messages: counts and dead letters.

-- name: count_refusals(node, reason, count, last_detail, at)!
insert into refusal (node, reason, count, first_at, last_at, last_detail)
select node, reason, count, :at, :at, last_detail
from unnest(:node::text[], :reason::text[], :count::bigint[], :last_detail::text[]) as told (node, reason, count, last_detail)
on conflict (node, reason) do update
set count = refusal.count + excluded.count,
    last_at = greatest(refusal.last_at, excluded.last_at),
    last_detail = excluded.last_detail;

-- name: add_letter(at, topic, node, message_id, reason, detail, bytes, payload, only_copy)!
insert into dead_letter (at, topic, node, message_id, reason, detail, bytes, payload, only_copy)
values (:at, :topic, :node, :message_id, :reason, :detail, :bytes, :payload, :only_copy);

-- name: trim_letters_of(senders, maximum)!
delete from dead_letter
using unnest(:senders::text[]) as sender (name)
where coalesce(dead_letter.node, '') = sender.name
    and not dead_letter.only_copy
    and dead_letter.id <= (
        select newer.id
        from dead_letter as newer
        where coalesce(newer.node, '') = sender.name and not newer.only_copy
        order by newer.id desc
        offset :maximum
        limit 1
    );

-- name: trim_letters(only_copy, maximum)!
delete from dead_letter
where only_copy = :only_copy
    and id <= (
        select id from dead_letter where only_copy = :only_copy order by id desc offset :maximum limit 1
    );

-- name: letters(reason, node, before, count)
select id, at, topic, node, message_id, reason, detail, bytes, payload, only_copy
from dead_letter
where (:reason::text is null or reason = :reason)
    and (:node::text is null or coalesce(node, '') = :node)
    and (:before::bigint is null or id < :before)
order by id desc
limit :count;

-- name: letter(letter_id)^
select id, at, topic, node, message_id, reason, detail, bytes, payload, only_copy
from dead_letter
where id = :letter_id
for update;

-- name: remove_letter(letter_id)!
delete from dead_letter where id = :letter_id;

-- name: requeue(message_id, district, node, channel, payload, received_at)$
-- A dead letter goes the way of what was released: taken in without a receipt, and by its natural key only once.
insert into quarantine (message_id, district, node, channel, payload, reason, subject, received_at, settled, released)
values (:message_id, :district, :node, :channel, :payload, 'dead_letter', :node, :received_at, true, true)
on conflict (node, district, message_id) do nothing
returning id;

-- name: refusals()
select nullif(node, '') as node, reason, count, first_at, last_at, last_detail
from refusal
order by last_at desc, node, reason;

-- name: total_refused(reason)$
select coalesce(sum(count), 0)::bigint from refusal where reason = :reason;

-- name: waiting()
-- What was released is on its way in.
select node, reason, count(*) as messages, sum(octet_length(payload))::bigint as bytes, min(received_at) as oldest_at
from quarantine
where not released
group by node, reason
order by messages desc, node, reason
limit 1000;

-- name: kept()
select reason, count(*) as letters, min(at) as oldest_at from dead_letter group by reason order by reason;
