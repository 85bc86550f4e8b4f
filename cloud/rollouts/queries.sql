-- Signed artifacts, rollouts, the steps of nodes, and what is wanted of each node.

-- name: add_artifact(kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at)$
insert into artifact (kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at)
values (:kind, :name, :version, :sha256, :size_bytes, :signed_at, :key, :sig, :added_by, :added_at)
on conflict do nothing
returning id;

-- name: artifact_of_version(kind, name, version)^
select id, kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at, stored_at
from artifact
where kind = :kind and name = :name and version = :version;

-- name: artifact_of_id(id)^
select id, kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at, stored_at
from artifact
where id = :id;

-- name: artifact_of_hash(sha256)^
-- Two names may have the same bytes; any of them says how many there are and whether they are here.
select id, kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at, stored_at
from artifact
where sha256 = :sha256
order by stored_at nulls last, id
limit 1;

-- name: artifacts(kind, name, after, count)
select id, kind, name, version, sha256, size_bytes, signed_at, key, sig, added_by, added_at, stored_at
from artifact
where (:kind::text is null or kind = :kind) and (:name::text is null or name = :name)
    and (:after::bigint is null or id < :after)
order by id desc
limit :count;

-- name: mark_stored(sha256, now)!
update artifact set stored_at = :now where sha256 = :sha256 and stored_at is null;

-- name: candidates(area_path, artifact, name, only_running)
-- Nodes of an area; `only_running`: those that announce an artifact of the name already, each of their devices that does.
select node.id as node_id, node.name as node, node.ring, coalesce(node_artifact.device, '') as device
from node
left join area on area.code = node.area_code and area.valid_to is null
left join node_artifact
    on node_artifact.node_id = node.id and node_artifact.artifact = :artifact and node_artifact.name = :name
where coalesce(area.path, '') ^@ :area_path and (not :only_running or node_artifact.node_id is not null)
order by node.id, device;

-- name: without_way_back(node_ids, devices, artifact, name)$
-- How many of these nodes announce nothing of the name, or a version of which the bytes are not here.
select count(*)
from unnest(:node_ids::bigint[], :devices::text[]) as asked (node_id, device)
left join node_artifact
    on node_artifact.node_id = asked.node_id and node_artifact.device = asked.device
    and node_artifact.artifact = :artifact and node_artifact.name = :name
left join artifact
    on artifact.kind = :artifact and artifact.name = :name and artifact.version = node_artifact.version
    and node_artifact.sha256 in (artifact.sha256, '') and artifact.stored_at is not null
where artifact.id is null;

-- name: set_ring(node, ring, scope)^
update node
set ring = :ring
from (
    select node.id, node.ring as before, coalesce(area.path, '') as area_path
    from node
    left join area on area.code = node.area_code and area.valid_to is null
    where node.name = :node and coalesce(area.path, '') ^@ :scope
    for no key update of node
) as found
where node.id = found.id
returning found.before, found.area_path;

-- name: add_rollout(id, title, artifact_id, area_code, area_path, only_running, may_lower, plan, created_by, created_by_name, created_at)!
insert into rollout (
    id, title, artifact_id, area_code, area_path, only_running, may_lower, plan, created_by, created_by_name, created_at
)
values (
    :id, :title, :artifact_id, :area_code, :area_path, :only_running, :may_lower, :plan, :created_by, :created_by_name, :created_at
);

-- name: rollout(id, scope)^
select *
from rollout
where id = :id and area_path ^@ :scope;

-- name: lock_rollout(id, scope)^
select *
from rollout
where id = :id and area_path ^@ :scope
for no key update;

-- name: live_rollouts()
select id from rollout
where state in ('running', 'soaking', 'waiting_approval', 'paused', 'rolling_back')
order by id;

-- name: lock_live_rollout(id)^
-- Nothing comes back where another process is at it.
select *
from rollout
where id = :id and state in ('running', 'soaking', 'waiting_approval', 'paused', 'rolling_back')
for no key update skip locked;

-- name: rollouts(scope, after, count)
select *
from rollout
where area_path ^@ :scope and (:after::uuid is null or id < :after)
order by id desc
limit :count;

-- name: set_rollout(id, state, reason, cause, stage, approved, started_by, started_by_name, started_at, turned_at, ended_at)!
update rollout
set state = :state, reason = :reason, cause = :cause, stage = :stage, approved = :approved, started_by = :started_by,
    started_by_name = :started_by_name, started_at = :started_at, turned_at = :turned_at, ended_at = :ended_at
where id = :id;

-- name: add_steps(rollout_id, artifact, name, node_id, device, stage, changed_at)!
insert into rollout_step (rollout_id, artifact, name, node_id, device, stage, state, changed_at)
select :rollout_id, :artifact, :name, step.node_id, step.device, step.stage, 'pending', :changed_at
from unnest(:node_id::bigint[], :device::text[], :stage::smallint[]) as step (node_id, device, stage)
order by step.node_id, step.device;

-- name: holders(artifact, name, node_ids, devices, except_id)
-- Live rollouts that hold any of these nodes.
select distinct rollout.id, rollout.title
from rollout_step
join rollout on rollout.id = rollout_step.rollout_id
where rollout_step.holds and rollout_step.artifact = :artifact and rollout_step.name = :name
    and (rollout_step.node_id, rollout_step.device) in (select * from unnest(:node_ids::bigint[], :devices::text[]))
    and rollout.id <> :except_id
order by rollout.id
limit 5;

-- name: held_nodes(artifact, name, node_ids, devices)
select node_id, device from rollout_step
where holds and artifact = :artifact and name = :name
    and (node_id, device) in (select * from unnest(:node_ids::bigint[], :devices::text[]));

-- name: hold(rollout_id, holds)!
update rollout_step set holds = :holds where rollout_id = :rollout_id and holds <> :holds;

-- name: turnable(rollout_id, count)
-- Nodes of a rollout that is over, as far as they can be turned back: they were asked, are not back, and no later rollout wants
-- something of them (it asked them, or will when they are there). What a later one that was itself turned back left behind is what
-- this one brought, and is its own again.
select step.node_id, step.device
from rollout_step as step
join rollout on rollout.id = step.rollout_id
where step.rollout_id = :rollout_id
    and (step.desired_id is not null or step.state = 'absent') and step.state not in ('skipped', 'superseded', 'reverted')
    and not exists (
        select
        from node_desired as wanted
        left join rollout as later on later.id = wanted.rollout_id
        where wanted.node_id = step.node_id and wanted.artifact = step.artifact and wanted.name = step.name
            and wanted.device = step.device and wanted.desired_id is distinct from step.desired_id
            and not (coalesce(later.state, '') in ('rolled_back', 'failed') and wanted.artifact_id = rollout.artifact_id)
    )
    and not exists (
        select
        from rollout_step as other
        where other.node_id = step.node_id and other.artifact = step.artifact and other.name = step.name
            and other.device = step.device and other.rollout_id <> step.rollout_id and other.state = 'absent'
    )
limit :count;

-- name: steps(rollout_id, states)
-- Steps with what is known of their nodes. All of a rollout, or those in some states.
select
    step.rollout_id, step.node_id, node.name as node, step.device, step.stage, step.state, step.changed_at, step.reason, step.detail,
    step.failure, step.previous_version, step.previous_sha256, step.desired_id, step.was_sent, step.announced_at, step.session as step_session,
    step.restarts, step.ill_since, step.degraded_before,
    wanted.first_sent_at as sent_at, device.presence as device_presence, device.presence_since as device_presence_since, node.presence, node.presence_since, node.session,
    running.version as running_version, running.sha256 as running_sha256,
    told.desired_id as told_id, told.state as told_state, told.code as told_code, told.reason as told_reason,
    array(
        select item ->> 'subject' || ':' || (item ->> 'reason') from jsonb_array_elements(node.degraded) as item
        where step.device in ('', item ->> 'subject')
    ) as degraded,
    node_health.told_at as health_at
from rollout_step as step
join node on node.id = step.node_id
left join node_desired as wanted
    on wanted.node_id = step.node_id and wanted.artifact = step.artifact and wanted.name = step.name
    and wanted.device = step.device and wanted.desired_id = step.desired_id
left join device on device.node_id = step.node_id and device.name = step.device
left join node_artifact as running
    on running.node_id = step.node_id and running.artifact = step.artifact and running.name = step.name
    and running.device = step.device
left join node_step as told
    on told.node_id = step.node_id and told.artifact = step.artifact and told.name = step.name and told.device = step.device
left join node_health on node_health.node_id = node.id
where step.rollout_id = :rollout_id and (:states::text[] is null or step.state = any(:states::text[]))
order by step.node_id, step.device;

-- name: steps_page(rollout_id, state, after, after_device, count, scope)
select
    node.name as node, step.device, coalesce(device.title, node.title, node.name) as title,
    coalesce(device.simulated, false) as simulated, node.ring, step.stage, step.state, step.changed_at, step.reason,
    step.detail, step.failure, step.previous_version, step.announced_at, running.version as running_version, node.presence,
    told.state as told_state
from rollout_step as step
join node on node.id = step.node_id
left join device on device.node_id = step.node_id and device.name = step.device
left join area on area.code = node.area_code and area.valid_to is null
left join node_artifact as running
    on running.node_id = step.node_id and running.artifact = step.artifact and running.name = step.name
    and running.device = step.device
left join node_step as told
    on told.node_id = step.node_id and told.artifact = step.artifact and told.name = step.name and told.device = step.device
    and told.desired_id = step.desired_id
where step.rollout_id = :rollout_id and (:state::text is null or step.state = :state)
    and (node.name, step.device) > (:after, :after_device)
    and coalesce(area.path, '') ^@ :scope
order by node.name, step.device
limit :count;

-- name: tallies(rollout_ids)
select rollout_id, stage, state, count(*) as nodes, count(*) filter (where state = 'skipped' and reason = 'meanwhile') as meanwhile
from rollout_step
where rollout_id = any(:rollout_ids::uuid[])
group by rollout_id, stage, state;

-- name: failures(rollout_id)
-- Why nodes failed, or could not be turned back; the most frequent reason first.
select told.reason, count(*) as nodes, min(concat_ws('/', node.name, nullif(step.device, ''))) as example
from rollout_step as step
join node on node.id = step.node_id
cross join lateral (
    select step.failure where step.failure is not null
    union
    select coalesce(step.reason, step.state) where step.state = 'stuck'
) as told (reason)
where step.rollout_id = :rollout_id
group by told.reason
order by nodes desc, told.reason
limit 20;

-- name: save_step(rollout_id, node_id, device, state, changed_at, reason, detail, failure, previous_version, previous_sha256, desired_id, was_sent, announced_at, session, restarts, ill_since, degraded_before)!
update rollout_step
set state = :state, changed_at = :changed_at, reason = :reason, detail = :detail, failure = :failure, previous_version = :previous_version,
    previous_sha256 = :previous_sha256, desired_id = :desired_id, was_sent = was_sent or :was_sent, announced_at = :announced_at,
    session = :session, restarts = :restarts, ill_since = :ill_since, degraded_before = :degraded_before::text[]
where rollout_id = :rollout_id and node_id = :node_id and device = :device;

-- name: ended_with_open_steps(count)
-- Rollouts that are over, with nodes of which a word may still come; first those with absent nodes that are back.
select rollout.id
from rollout
where state in ('done', 'failed', 'cancelled', 'rolled_back')
    and exists (
        select
        from rollout_step
        where rollout_step.rollout_id = rollout.id
            and rollout_step.state in ('offered', 'absent', 'fetching', 'trying', 'announced', 'timed_out', 'reverting', 'stuck')
    )
order by
    exists (
        select
        from rollout_step
        join node on node.id = rollout_step.node_id
        where rollout_step.rollout_id = rollout.id and rollout_step.state = 'absent' and node.presence = 'online'
    ) desc,
    ended_at desc
limit :count;

-- name: lock_ended_rollout(id)^
select *
from rollout
where id = :id and state in ('done', 'failed', 'cancelled', 'rolled_back')
for no key update skip locked;

-- name: supersede(node_ids, devices, artifact, name, except_id, now)
-- A later rollout wants something else of these nodes: what earlier ones that are over still waited for is over too.
update rollout_step as step
set state = 'superseded', changed_at = :now, reason = null, detail = null
from node
where node.id = step.node_id and step.artifact = :artifact and step.name = :name
    and (step.node_id, step.device) in (select * from unnest(:node_ids::bigint[], :devices::text[]))
    and step.rollout_id <> :except_id and not step.holds
    and step.state in ('offered', 'absent', 'fetching', 'trying', 'announced', 'timed_out', 'reverting', 'stuck')
returning step.rollout_id, node.name as node, step.device;

-- name: want(node_id, device, artifact, name, artifact_id, desired_id, roll_back, confirm, now, rollout_id)$
-- One version of an artifact is wanted of a node at a time. Orders of a node for an artifact have times that grow, also where the one
-- before was called back, and where the clock was set back.
with given as (
    insert into node_order_time as known (node_id, artifact, name, device, issued_at)
    values (:node_id, :artifact, :name, :device, :now)
    on conflict (node_id, artifact, name, device) do update
    set issued_at = greatest(excluded.issued_at, known.issued_at + interval '1 millisecond')
    returning issued_at
)
insert into node_desired (node_id, device, artifact, name, artifact_id, desired_id, roll_back, confirm, issued_at, rollout_id)
select :node_id, :device, :artifact, :name, :artifact_id, :desired_id, :roll_back, :confirm, given.issued_at, :rollout_id
from given
on conflict (node_id, artifact, name, device) do update
set artifact_id = excluded.artifact_id, desired_id = excluded.desired_id, roll_back = excluded.roll_back,
    confirm = excluded.confirm, rollout_id = excluded.rollout_id, first_sent_at = null, sent_at = null, sent_session = null,
    issued_at = excluded.issued_at
returning issued_at;

-- name: lock_orders(rollout_id)
-- Nobody sends any of these meanwhile; orders are locked before steps, everywhere.
select desired_id from node_desired where rollout_id = :rollout_id order by node_id, artifact, name, device for no key update;

-- name: want_no_more(node_id, device, artifact, name, desired_id)!
delete from node_desired
where node_id = :node_id and device = :device and artifact = :artifact and name = :name and desired_id = :desired_id;

-- name: want_nothing(node_ids, devices, artifact, name)!
delete from node_desired
where artifact = :artifact and name = :name
    and (node_id, device) in (select * from unnest(:node_ids::bigint[], :devices::text[]));

-- name: due_orders(now, again_before, count, revoked)
-- What present nodes have to be told: they announce something else, did not say that they are through with the order, and were
-- not told it in this session, or have not mentioned it since. A rollout that is paused tells nobody anything new; whoever came back
-- after it was away is told when its rollout has room for it. What a revoked key signed is told to nobody, but to go back to it: a node
-- refuses that in words. The time of an order for a device runs from when it was given, and is part of what is signed. `is_anew`: half of it
-- is over though the node can't have it (it never went out, or the node was away since and does not mention it), or a way back ended because
-- its time was over: it is given anew before it is sent.
select
    wanted.node_id, node.name as node, node.district, node.session, wanted.desired_id, wanted.roll_back, wanted.issued_at,
    wanted.rollout_id, wanted.artifact, wanted.name, artifact.version, artifact.sha256, artifact.size_bytes,
    artifact.key, artifact.signed_at, artifact.sig, nullif(wanted.device, '') as device,
    case
        when wanted.device <> '' then wanted.issued_at + make_interval(secs => (rollout.plan ->> 'patience_s')::double precision)
    end as deadline,
    late.is_anew
from node_desired as wanted
join node on node.id = wanted.node_id
join artifact on artifact.id = wanted.artifact_id and artifact.stored_at is not null
left join rollout on rollout.id = wanted.rollout_id
left join rollout_step as step
    on step.rollout_id = wanted.rollout_id and step.node_id = wanted.node_id and step.device = wanted.device
    and step.desired_id = wanted.desired_id
left join node_artifact as running
    on running.node_id = wanted.node_id and running.artifact = wanted.artifact and running.name = wanted.name
    and running.device = wanted.device
left join node_step as told
    on told.node_id = wanted.node_id and told.artifact = wanted.artifact and told.name = wanted.name
    and told.device = wanted.device and told.desired_id = wanted.desired_id
cross join lateral (
    select
        wanted.device <> '' and rollout.id is not null
        and wanted.issued_at + make_interval(secs => (rollout.plan ->> 'patience_s')::double precision / 2) <= :now
        and case
            when told.desired_id is null
                then wanted.sent_at is null or wanted.sent_session is distinct from node.session or node.presence_since > wanted.sent_at
            else wanted.roll_back and step.state = 'stuck' and told.code = 'late'
        end as is_anew
) as late
where node.presence = 'online' and node.session is not null and coalesce(node.presence_session, node.session) = node.session
    and coalesce(rollout.state, 'done') <> 'paused' and coalesce(step.state, '') <> 'absent'
    and (artifact.key <> all(:revoked::text[]) or coalesce(rollout.state, '') in ('rolling_back', 'rolled_back', 'failed'))
    and case
        when running.version = artifact.version and running.sha256 in (artifact.sha256, '')
            then wanted.confirm and told.state is distinct from 'applied'
        else true
    end
    and (late.is_anew or coalesce(told.state, '') not in ('refused', 'failed', 'rolled_back'))
    and (
        late.is_anew
        or wanted.sent_session is distinct from node.session
        or (told.desired_id is null and (wanted.sent_at < :again_before or wanted.sent_at > :now))
    )
order by wanted.issued_at, wanted.node_id, wanted.device
limit :count
for no key update of wanted skip locked;

-- name: give_anew(node_id, device, artifact, name, desired_id, fresh_id, now)$
-- The same order with another id and time. Nothing where somebody gives the device another order just now: who does that has its
-- time first and its order then, and nobody waits here for either.
with known as (
    select issued_at from node_order_time
    where node_id = :node_id and artifact = :artifact and name = :name and device = :device
    for no key update skip locked
), given as (
    update node_order_time as newest
    set issued_at = greatest(:now, known.issued_at + interval '1 millisecond')
    from known
    where newest.node_id = :node_id and newest.artifact = :artifact and newest.name = :name and newest.device = :device
    returning newest.issued_at
), asked as (
    update rollout_step as step
    set desired_id = :fresh_id
    from node_desired as wanted, given
    where wanted.desired_id = :desired_id and step.rollout_id = wanted.rollout_id and step.node_id = wanted.node_id
        and step.device = wanted.device and step.desired_id = :desired_id
)
update node_desired
set desired_id = :fresh_id, issued_at = given.issued_at
from given
where node_desired.desired_id = :desired_id
returning node_desired.issued_at;

-- name: mark_sent(desired_ids, sessions, now)!
update node_desired
set first_sent_at = coalesce(first_sent_at, :now), sent_at = :now, sent_session = sent.session
from unnest(:desired_ids::uuid[], :sessions::uuid[]) as sent (desired_id, session)
where node_desired.desired_id = sent.desired_id;

-- name: note_sent(desired_ids)!
-- From here on the node may have it, whatever it announces.
update rollout_step
set was_sent = true
from node_desired
where node_desired.desired_id = any(:desired_ids::uuid[]) and rollout_step.rollout_id = node_desired.rollout_id
    and rollout_step.node_id = node_desired.node_id and rollout_step.device = node_desired.device
    and rollout_step.desired_id = node_desired.desired_id
    and not rollout_step.was_sent;

-- name: keep_artifacts(node_id, artifact, name, device, version, sha256, at)!
with told as (
    select *
    from unnest(:artifact::text[], :name::text[], :device::text[], :version::text[], :sha256::text[])
        as told (artifact, name, device, version, sha256)
), gone as (
    delete from node_artifact
    where node_id = :node_id and (artifact, name, device) not in (select artifact, name, device from told)
)
insert into node_artifact (node_id, artifact, name, device, version, sha256, announced_at)
select :node_id, told.*, :at from told
on conflict (node_id, artifact, name, device) do update
set version = excluded.version, sha256 = excluded.sha256, announced_at = excluded.announced_at
where (node_artifact.version, node_artifact.sha256) <> (excluded.version, excluded.sha256);

-- name: keep_reports(node_id, artifact, name, device, desired_id, version, sha256, state, code, reason, told_at, at)!
with told as (
    select *
    from unnest(
        :artifact::text[], :name::text[], :device::text[], :desired_id::uuid[], :version::text[], :sha256::text[], :state::text[], :code::text[],
        :reason::text[], :told_at::timestamptz[]
    ) as told (artifact, name, device, desired_id, version, sha256, state, code, reason, told_at)
), gone as (
    delete from node_step
    where node_id = :node_id and (artifact, name, device) not in (select artifact, name, device from told)
)
insert into node_step (node_id, artifact, name, device, desired_id, version, sha256, state, code, reason, told_at, received_at)
select :node_id, told.*, :at from told
on conflict (node_id, artifact, name, device) do update
set desired_id = excluded.desired_id, version = excluded.version, sha256 = excluded.sha256, state = excluded.state,
    code = excluded.code, reason = excluded.reason, told_at = excluded.told_at, received_at = excluded.received_at
where (node_step.desired_id, node_step.state, node_step.code, node_step.reason, node_step.version, node_step.sha256)
    is distinct from (excluded.desired_id, excluded.state, excluded.code, excluded.reason, excluded.version, excluded.sha256);

-- name: add_events(rollout_id, at, node, device, before, after, reason, detail, actor_name)!
insert into rollout_event (rollout_id, at, node, device, before, after, reason, detail, actor_name)
select :rollout_id, :at, told.node, told.device, told.before, told.after, told.reason, told.detail, :actor_name
from unnest(:node::text[], :device::text[], :before::text[], :after::text[], :reason::text[], :detail::text[])
    as told (node, device, before, after, reason, detail);

-- name: events(rollout_id, after, count, node)
select id, at, node, device, before, after, reason, detail, actor_name
from rollout_event
where rollout_id = :rollout_id and (:after::bigint is null or id < :after)
    and (:node::text is null or node = :node)
order by id desc
limit :count;

-- name: versions(scope)
-- What runs where: each version of each artifact, how many nodes announce it, and of how many something else is wanted.
select
    running.artifact, running.name, running.version, running.sha256, count(*) as nodes,
    count(*) filter (
        where case running.sha256
            when '' then wanted_artifact.version <> running.version
            else wanted_artifact.sha256 <> running.sha256
        end
    ) as drifting,
    known.id is not null as is_registered
from node_artifact as running
join node on node.id = running.node_id
left join area on area.code = node.area_code and area.valid_to is null
left join node_desired as wanted
    on wanted.node_id = running.node_id and wanted.artifact = running.artifact and wanted.name = running.name
    and wanted.device = running.device
left join artifact as wanted_artifact on wanted_artifact.id = wanted.artifact_id
left join artifact as known
    on known.kind = running.artifact and known.name = running.name and known.version = running.version
    and running.sha256 in (known.sha256, '') and known.stored_at is not null
where coalesce(area.path, '') ^@ :scope
group by 1, 2, 3, 4, known.id
order by 1, 2, 3, 4;

-- name: node_versions(scope, artifact, name, only_drifting, after_node, after_artifact, after_name, after_device, count)
-- What is wanted of each node and what it announces, by node; nodes of which nothing is known have one empty row.
select *
from (
    select
        node.name as node, coalesce(node.title, node.name) as title, node.ring, node.presence, node.software,
        coalesce(running.artifact, wanted.artifact) as artifact, coalesce(running.name, wanted.name) as name,
        coalesce(running.device, wanted.device, '') as device, coalesce(device.simulated, false) as simulated,
        running.version as running_version, running.announced_at, artifact.version as wanted_version, wanted.rollout_id,
        told.state as told_state, told.code as told_code,
        artifact.id is not null
            and case running.sha256
                when '' then artifact.version is distinct from running.version
                else artifact.sha256 is distinct from running.sha256
            end as drifts
    from node
    left join area on area.code = node.area_code and area.valid_to is null
    left join (
        node_artifact as running
        full join node_desired as wanted
            on wanted.node_id = running.node_id and wanted.artifact = running.artifact and wanted.name = running.name
            and wanted.device = running.device
    ) on coalesce(running.node_id, wanted.node_id) = node.id
    left join device on device.node_id = node.id and device.name = coalesce(running.device, wanted.device)
    left join artifact on artifact.id = wanted.artifact_id
    left join node_step as told on told.node_id = node.id and told.desired_id = wanted.desired_id
    where coalesce(area.path, '') ^@ :scope
) as known
where (:artifact::text is null or artifact = :artifact) and (:name::text is null or name = :name)
    and (not :only_drifting or drifts)
    and (node, coalesce(artifact, ''), coalesce(name, ''), device) > (:after_node, :after_artifact, :after_name, :after_device)
order by node, coalesce(artifact, ''), coalesce(name, ''), device
limit :count;
