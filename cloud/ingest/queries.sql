-- name: add_receipts(message_id, node_id, digest, session, received_at)
-- The ids that are new come back; the others were counted before.
insert into receipt (message_id, node_id, digest, session, received_at)
select *, :received_at
from unnest(:message_id::uuid[], :node_id::bigint[], :digest::integer[], :session::uuid[])
on conflict do nothing
returning message_id, node_id;

-- name: noted_receipts(message_id, node_id)
select receipt.message_id, receipt.node_id, receipt.digest, receipt.rejected
from unnest(:message_id::uuid[], :node_id::bigint[]) as asked (message_id, node_id)
join receipt on receipt.message_id = asked.message_id and receipt.node_id = asked.node_id;

-- name: renew_receipts(message_id, node_id, session)
-- Sessions are UUIDv7: what an earlier one sent, and a broker delivers late, changes nothing.
update receipt
set session = asked.session
from unnest(:message_id::uuid[], :node_id::bigint[], :session::uuid[]) as asked (message_id, node_id, session)
where receipt.message_id = asked.message_id and receipt.node_id = asked.node_id and receipt.session < asked.session
returning receipt.message_id, receipt.node_id;

-- name: reject_receipts(message_id, node_id, reason)!
update receipt
set rejected = asked.reason
from unnest(:message_id::uuid[], :node_id::bigint[], :reason::text[]) as asked (message_id, node_id, reason)
where receipt.message_id = asked.message_id and receipt.node_id = asked.node_id;

-- name: count_lanes(node_id, session, lane, highest_seq, received, at)!
insert into node_lane (node_id, session, lane, highest_seq, received, updated_at)
select *, :at
from unnest(:node_id::bigint[], :session::uuid[], :lane::text[], :highest_seq::bigint[], :received::bigint[])
on conflict (node_id, session, lane) do update
set highest_seq = greatest(node_lane.highest_seq, excluded.highest_seq),
    received = node_lane.received + excluded.received,
    updated_at = excluded.updated_at;

-- name: quarantine_room(nodes)
-- How much waits, of each of these nodes and (node null) of all; payloads are counted, not read.
select node, count(*) as messages, coalesce(sum(octet_length(payload)), 0)::bigint as bytes
from quarantine
where node = any(:nodes::text[])
group by node
union all
select null, count(*), coalesce(sum(octet_length(payload)), 0)::bigint from quarantine;

-- name: is_quarantined(node, district, message_id)$
select true from quarantine where node = :node and district = :district and message_id = :message_id;

-- name: quarantine(message_id, district, node, channel, payload, reason, subject, received_at, settled)!
insert into quarantine (message_id, district, node, channel, payload, reason, subject, received_at, settled)
values (:message_id, :district, :node, :channel, :payload, :reason, :subject, :received_at, :settled)
on conflict (node, district, message_id) do nothing;

-- name: forget_births(node, district)!
-- Only the newest birth of an unknown node says anything.
delete from quarantine where node = :node and district = :district and channel = 'up/birth';

-- name: release_declared(count)!
-- Two transactions that do not see each other can leave a message waiting for what is declared already.
update quarantine
set released = true
where id = any(array(
    select quarantine.id
    from quarantine
    join node on node.name = quarantine.node and node.district = quarantine.district
    left join device on device.node_id = node.id and device.name = split_part(quarantine.subject, '/', 1)
    left join series on series.device_id = device.id and series.point = split_part(quarantine.subject, '/', 2)
    where not quarantine.released
        and (
            quarantine.reason = 'unknown_node'
            or (quarantine.reason = 'unknown_device' and device.id is not null and (strpos(quarantine.subject, '/') = 0 or series.id is not null))
        )
    order by quarantine.id
    limit :count
));

-- name: held()
-- What was released is on its way in.
select node, channel, reason, count(*) as messages, sum(octet_length(payload))::bigint as bytes,
    min(received_at) as since, max(received_at) as latest_at
from quarantine
where not released
group by node, channel, reason
order by node, channel, reason;

-- name: discard_held(node)
with gone as (
    delete from quarantine where node = :node and not released returning channel, reason, payload, received_at
)
select channel, reason, count(*) as messages, sum(octet_length(payload))::bigint as bytes,
    min(received_at) as since, max(received_at) as latest_at
from gone
group by channel, reason
order by channel, reason;

-- name: take_released(count)
-- Births first: they declare what the others speak of.
delete from quarantine
where id = any(array(
    select id from quarantine where released order by channel <> 'up/birth', id limit :count for update skip locked
))
returning id, district, node, channel, payload, received_at, settled, vouched_by;

-- name: prune_receipts(before, count)!
delete from receipt
where ctid = any(array(select ctid from receipt where received_at < :before limit :count));

-- name: prune_lanes(before)!
delete from node_lane
where updated_at < :before
    and not exists (select from node where node.id = node_lane.node_id and node.session = node_lane.session);

-- name: missing_messages()
-- What the present sessions have numbered and nobody has received yet.
select node.name, node_lane.lane, node_lane.highest_seq - node_lane.received as missing
from node_lane
join node on node.id = node_lane.node_id and node.session = node_lane.session
where node_lane.highest_seq > node_lane.received
order by node.name, node_lane.lane;

-- name: forgetful_settings()
-- What would let the server forget, after a power cut, what it had committed.
select name from pg_settings
where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off'
order by name;
