-- name: add_node(name, district, area_code, mqtt_password_hash, token_hash, created_at)$
insert into node (name, district, area_code, mqtt_password_hash, token_hash, created_at)
values (:name, :district, :area_code, :mqtt_password_hash, :token_hash, :created_at)
on conflict (name) do nothing
returning id;

-- name: withdraw_claims_elsewhere(name, area_code, now)!
update claim
set revoked_at = :now
where node = :name and area_code <> :area_code and used_at is null and revoked_at is null;

-- name: replace_secrets(name, mqtt_password_hash, token_hash)!
update node
set mqtt_password_hash = :mqtt_password_hash, token_hash = :token_hash, secrets_until = null
where name = :name;

-- name: node_of_token(token_hash, now)^
select name, token_hash, null::integer as generation
from node
where token_hash = :token_hash and (secrets_until is null or secrets_until > :now)
union all
select node.name, node_credential.token_hash, node_credential.generation
from node_credential
join node on node.id = node_credential.node_id
where node_credential.token_hash = :token_hash and node_credential.expires_at > :now;

-- name: broker_secrets(now, node)
select id, name, district, null::integer as generation, mqtt_password_hash
from node
where mqtt_password_hash is not null and (secrets_until is null or secrets_until > :now)
    and (:node::text is null or name = :node)
union all
select node.id, node.name, node.district, node_credential.generation, node_credential.mqtt_password_hash
from node_credential
join node on node.id = node_credential.node_id
where node_credential.expires_at > :now and (:node::text is null or node.name = :node)
order by 2, 4 nulls first;

-- name: nodes_by_name(names)
select id, name, district, area_code, registry_version from node where name = any(:names::text[]);

-- name: devices_of_nodes(node_ids)
select id, node_id, name, kind, grid_code from device where node_id = any(:node_ids::bigint[]);

-- name: lock_node(node_id)^
select id, name, session, birth_id, birth_seq, presence, presence_since, presence_session, area_code, trusts_births
from node
where id = :node_id
for no key update;

-- name: lock_nodes(node_ids)
select id from node where id = any(:node_ids::bigint[]) order by id for no key update;

-- name: apply_birth(node_id, session, birth_id, birth_seq, born_at, title, software, profile, models, degraded, spots)!
update node
set session = :session, birth_id = :birth_id, birth_seq = :birth_seq, born_at = :born_at, title = :title,
    software = :software, profile = :profile, models = :models, degraded = :degraded, spots = :spots, registry_version = registry_version + 1
where id = :node_id;

-- name: declare_devices(node_id, name, kind, title, spot, department, simulated, profile, behind, created_at)!
insert into device (node_id, name, kind, title, spot, department, simulated, profile, behind, created_at)
select :node_id, declared.*, :created_at
from unnest(
    :name::text[], :kind::text[], :title::text[], :spot::text[], :department::text[], :simulated::boolean[],
    :profile::text[], :behind::text[]
) as declared
on conflict (node_id, name) do update
set kind = excluded.kind, title = excluded.title, spot = excluded.spot, department = excluded.department,
    simulated = excluded.simulated, profile = excluded.profile, behind = excluded.behind, declared = true
where (
        device.kind, device.title, device.spot, device.department, device.simulated, device.profile, device.behind,
        device.declared
    ) is distinct from (
        excluded.kind, excluded.title, excluded.spot, excluded.department, excluded.simulated, excluded.profile,
        excluded.behind, true
    );

-- name: let_devices_wait(node_id, name, declared, reason, at)!
insert into waiting_device (node_id, name, declared, reason, first_seen_at, last_seen_at)
select :node_id, waiting.*, :at, :at
from unnest(:name::text[], :declared::jsonb[], :reason::text[]) as waiting
on conflict (node_id, name) do update
set declared = excluded.declared, reason = excluded.reason, last_seen_at = excluded.last_seen_at;

-- name: forget_waiting_devices(node_id, names)!
-- What the newest birth does not let wait any more; of what a person does not want, that stays known.
delete from waiting_device where node_id = :node_id and name <> all(:names::text[]) and ignored_at is null;

-- name: drop_waiting_devices(node_id, names)!
delete from waiting_device where node_id = :node_id and name = any(:names::text[]);

-- name: waiting_devices(node, scope)
select node.id as node_id, waiting_device.name, waiting_device.declared, waiting_device.reason,
    waiting_device.first_seen_at, waiting_device.last_seen_at, waiting_device.ignored_at, waiting_device.ignored_by
from waiting_device
join node on node.id = waiting_device.node_id
left join area on area.code = node.area_code and area.valid_to is null
where node.name = :node and coalesce(area.path, '') ^@ :scope
order by waiting_device.ignored_at is not null, waiting_device.name;

-- name: ignore_devices(node_id, names, at, by)!
update waiting_device
set ignored_at = :at, ignored_by = :by
where node_id = :node_id and name = any(:names::text[]) and (ignored_at is null) <> (:at::timestamptz is null);

-- name: renew_registry(node_id)!
update node set registry_version = registry_version + 1 where id = :node_id;

-- name: retire_devices(node_id, names)!
-- What the newest birth no longer names keeps its history and loses its presence.
update device
set declared = false, degraded = false, presence = 'unknown', presence_since = now()
where node_id = :node_id and declared and name <> all(:names::text[]);

-- name: degrade_devices(node_id, degraded, at)
update device
set degraded = not device.degraded,
    presence_since = case when device.presence = 'online' then :at else device.presence_since end
from node
where node.id = device.node_id and device.node_id = :node_id and device.declared
    and device.degraded <> (device.name = any(:degraded::text[]))
returning device.id, node.name as node, device.name as device, device.presence_shown as presence, device.presence_since,
    device.last_seen_at, coalesce(device.grid_code, node.area_code) as area_code;

-- name: see_nodes(node_id, skew_s, at)
-- A node that speaks is there, unless its own last will came: then only its next online message tells. `was`: before.
-- The latest word stands; one that lies in the future was written before this machine's clock was set back.
with seen as (
    select * from unnest(:node_id::bigint[], :skew_s::double precision[]) as seen (node_id, skew_s)
), before as (
    select node.id, node.presence
    from node
    join seen on seen.node_id = node.id
    order by node.id
    for no key update of node
)
update node
set last_seen_at = case when node.last_seen_at > :at + interval '1 minute' then :at else greatest(node.last_seen_at, :at) end,
    skew_s = coalesce(seen.skew_s, node.skew_s),
    presence = case when node.presence = 'unknown' then 'online' else node.presence end,
    presence_since = case when node.presence = 'unknown' then :at else node.presence_since end
from seen
join before on before.id = seen.node_id
where node.id = seen.node_id
returning node.id, node.name, node.district, node.area_code, node.registry_version, before.presence as was;

-- name: see_devices(device_id, at)
-- `was` is the presence before.
with before as (
    select device.id, device.presence_shown
    from device
    where device.id = any(:device_id::bigint[])
    order by device.id
    for no key update
)
update device
set last_seen_at = case when device.last_seen_at > :at + interval '1 minute' then :at else greatest(device.last_seen_at, :at) end,
    presence = case when device.presence = 'unknown' then 'online' else device.presence end,
    presence_since = case when device.presence = 'unknown' then :at else device.presence_since end
from before, node
where device.id = before.id and node.id = device.node_id
returning device.id, node.name as node, device.name as device, before.presence_shown as was,
    device.presence_shown as presence, device.presence_since, device.last_seen_at, coalesce(device.grid_code, node.area_code) as area_code;

-- name: set_device_presence(device_id, presence, since)^
-- Told by the node; an older word changes nothing.
update device
set presence = :presence, presence_since = :since, presence_told_at = :since
from node
where device.id = :device_id and node.id = device.node_id
    and (device.presence_told_at is null or device.presence_told_at < :since)
returning device.id, node.name as node, device.name as device, device.presence_shown as presence, device.presence_since,
    device.last_seen_at, coalesce(device.grid_code, node.area_code) as area_code;

-- name: set_node_presence(node_id, presence, since, session)!
update node
set presence = :presence, presence_since = :since, presence_session = :session
where id = :node_id;

-- name: silent_nodes(before, final)
-- Also those that spoke in what is the future now that this machine's clock was set back: it says nothing of the present.
select id, name
from node
where presence = 'online' and (last_seen_at < :before or last_seen_at > :final)
order by id
for update skip locked;

-- name: count_quarantined_nodes()$
select count(*) from quarantined_node;

-- name: see_quarantined_node(name, district, at, maximum)$
-- Answers the name when the node is (or may still be) listed, nothing when the list is full.
insert into quarantined_node (name, district, first_seen_at, last_seen_at)
select :name, :district, :at, :at
where exists (select from quarantined_node where name = :name)
    or (select count(*) from quarantined_node) < :maximum
on conflict (name) do update set district = excluded.district, last_seen_at = excluded.last_seen_at
returning name;

-- name: count_quarantined(name, messages, refused)!
update quarantined_node
set messages = messages + :messages, refused = refused + :refused
where name = :name;

-- name: keep_quarantined_birth(name, birth)!
update quarantined_node set birth = :birth where name = :name;

-- name: quarantined_node(name)^
select name, district, birth, messages, refused, first_seen_at, last_seen_at
from quarantined_node
where name = :name
for update;

-- name: quarantined_nodes()
select name, district, birth, messages, refused, first_seen_at, last_seen_at from quarantined_node order by name;

-- name: remove_quarantined_node(name)!
delete from quarantined_node where name = :name;

-- name: release_quarantine(node)!
-- What a person has to vouch for waits on.
update quarantine
set released = true
where node = :node and not released and reason not in ('unsigned', 'bad_signature');

-- name: place_device(node, device, grid_code, longitude, latitude)^
with placed as (
    update device
    set grid_code = :grid_code, longitude = :longitude, latitude = :latitude
    from node
    where node.name = :node and device.node_id = node.id and device.name = :device
    returning device.id, device.node_id
)
update node
set registry_version = registry_version + 1
from placed
where node.id = placed.node_id
returning placed.id;

-- name: count_devices(area_path, others, exceptions)^
-- Nodes are no devices here: a figure of what watches, not of what carries it.
select
    count(*) filter (where device.presence_shown in ('online', 'degraded') and node.presence = 'online') as online,
    count(*) as total, count(*) filter (where device.simulated) as simulated
from device
join node on node.id = device.node_id
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where device.declared and not (device.kind = 'node' and device.name = node.name) and coalesce(area.path, '') ^@ :area_path
    and (coalesce(device.department, '') = any(:exceptions::text[])) <> :others;

-- name: list_devices(scope, others, exceptions, kind, presence, after, count, device_id)
select
    device.id, node.name as node, device.name as device, coalesce(device.title, device.name) as name, device.kind, device.spot,
    area.code as grid_code, area.name as grid_name, device.longitude, device.latitude,
    case
        when device.kind = 'node' and device.name = node.name then node.presence
        when node.presence <> 'online' then 'unknown'
        else device.presence_shown
    end as presence,
    case
        when device.kind = 'node' and device.name = node.name then node.presence_since
        else device.presence_since
    end as presence_since,
    case
        when device.kind = 'node' and device.name = node.name then node.last_seen_at
        else device.last_seen_at
    end as last_seen_at,
    device.simulated, device.department, device.profile, device.behind, node_health.told_at, node_health.level, node_health.share,
    node_health.readings_waiting, node_health.incidents_waiting, node_health.files_waiting, node_health.oldest_at,
    (
        select link
        from jsonb_array_elements(coalesce(node_health.report -> 'cameras', '[]')) as link
        where link ->> 'camera' = device.name
        limit 1
    ) as link
from device
join node on node.id = device.node_id
left join node_health on node_health.node_id = node.id
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where device.declared
    and coalesce(area.path, '') ^@ :scope
    and (coalesce(device.department, '') = any(:exceptions::text[])) <> :others
    and (:kind::text is null or device.kind = :kind)
    and (:presence::text is null or :presence = case
        when device.kind = 'node' and device.name = node.name then node.presence
        when node.presence <> 'online' then 'unknown'
        else device.presence_shown
    end)
    and (:device_id::bigint is null or device.id = :device_id)
    and device.id > :after
order by device.id
limit :count;

-- name: list_nodes(scope, after, count, name)
select
    node.name as node, coalesce(node.title, node.name) as name, node.district, 'accepted' as state, node.presence,
    node.presence_since, node.session, node.software, node.last_seen_at, node.skew_s, node.models, node.degraded,
    (select count(*) from device where device.node_id = node.id and device.declared and device.kind <> 'node') as devices,
    (
        select count(*) from waiting_device where waiting_device.node_id = node.id and waiting_device.ignored_at is null
    ) as waiting_devices,
    (
        select device.id
        from device
        where device.node_id = node.id and device.declared and device.kind = 'node' and device.name = node.name
    ) as device_id,
    node_health.report as health, node_health.lost_at,
    (
        select jsonb_agg(
            link || jsonb_build_object(
                'device_id', device.id, 'name', coalesce(device.title, device.name), 'presence', device.presence_shown,
                'simulated', device.simulated
            )
            order by told.place
        )
        from jsonb_array_elements(node_health.report -> 'cameras') with ordinality as told (link, place)
        join device on device.node_id = node.id and device.declared and device.name = told.link ->> 'camera'
        left join area place on place.code = coalesce(device.grid_code, node.area_code) and place.valid_to is null
        where coalesce(place.path, '') ^@ :scope
    ) as cameras
from node
left join area on area.code = node.area_code and area.valid_to is null
left join node_health on node_health.node_id = node.id
where coalesce(area.path, '') ^@ :scope and node.name > :after and (:name::text is null or node.name = :name)
order by node.name
limit :count;

-- name: list_quarantined_nodes(scope, after, count)
-- What nobody enrolled has no area yet; its district must lie in the scope, or hold it.
select
    name as node, name, district, 'quarantined' as state, 'unknown' as presence, null::timestamptz as presence_since,
    null::uuid as session, birth ->> 'software' as software, last_seen_at, null::double precision as skew_s,
    coalesce(birth -> 'models', '[]') as models, coalesce(birth -> 'degraded', '[]') as degraded,
    coalesce(jsonb_array_length(birth -> 'devices'), 0)::bigint as devices, null::bigint as device_id, null::jsonb as health,
    null::timestamptz as lost_at, null::jsonb as cameras
from quarantined_node
where (:scope = '' or (district || '/') ^@ :scope) and name > :after
order by name
limit :count;

-- name: keep_health(node_id, session, seq, told_at, level, share, readings_waiting, incidents_waiting, files_waiting, oldest_at, dropped, rejected_incidents, report, losses)
-- Within a session the higher number is newer; another session counts only if it is the one that the registry describes.
-- A count of losses that fell is that of a new store. Those whose level changed come back.
with told as (
    select *
    from unnest(
        :node_id::bigint[], :session::uuid[], :seq::bigint[], :told_at::timestamptz[], :level::text[],
        :share::double precision[], :readings_waiting::bigint[], :incidents_waiting::bigint[], :files_waiting::bigint[],
        :oldest_at::timestamptz[], :dropped::bigint[], :rejected_incidents::bigint[], :report::jsonb[], :losses::bigint[]
    ) as told (
        node_id, session, seq, told_at, level, share, readings_waiting, incidents_waiting, files_waiting, oldest_at,
        dropped, rejected_incidents, report, losses
    )
), before as (
    select node_health.node_id, node_health.level
    from node_health
    join told on told.node_id = node_health.node_id
    order by node_health.node_id
    for update of node_health
), written as (
    insert into node_health
    select told.*
    from told
    left join before on before.node_id = told.node_id
    order by told.node_id
    on conflict (node_id) do update
    set session = excluded.session, seq = excluded.seq, told_at = excluded.told_at, level = excluded.level,
        share = excluded.share, readings_waiting = excluded.readings_waiting,
        incidents_waiting = excluded.incidents_waiting, files_waiting = excluded.files_waiting,
        oldest_at = excluded.oldest_at, dropped = excluded.dropped, rejected_incidents = excluded.rejected_incidents,
        report = excluded.report, losses = excluded.losses,
        lost_at = case
            when excluded.losses not in (0, node_health.losses) then excluded.told_at
            else node_health.lost_at
        end
    where case
        when node_health.session = excluded.session then node_health.seq < excluded.seq
        else excluded.session = (select node.session from node where node.id = excluded.node_id)
    end
    returning node_id, level
)
select node.name as node, node.area_code, written.level
from written
join node on node.id = written.node_id
left join before on before.node_id = written.node_id
where written.level <> coalesce(before.level, 'normal')
order by node.name;

-- name: fleet_backlog(fresh_since)^
-- Of nodes that told lately; what an older word says may long be over.
select
    count(*) as nodes,
    count(*) filter (where node_health.node_id is null or node_health.told_at < :fresh_since) as silent,
    count(*) filter (where node_health.told_at >= :fresh_since and node_health.level = 'warning') as warning,
    count(*) filter (where node_health.told_at >= :fresh_since and node_health.level = 'critical') as critical,
    coalesce(sum(node_health.readings_waiting) filter (where node_health.told_at >= :fresh_since), 0)::bigint
        as readings_waiting,
    coalesce(sum(node_health.incidents_waiting) filter (where node_health.told_at >= :fresh_since), 0)::bigint
        as incidents_waiting,
    coalesce(sum(node_health.files_waiting) filter (where node_health.told_at >= :fresh_since), 0)::bigint
        as files_waiting,
    min(node_health.oldest_at) filter (where node_health.told_at >= :fresh_since) as oldest_at,
    coalesce(sum(node_health.dropped), 0)::bigint as dropped,
    coalesce(sum(node_health.rejected_incidents), 0)::bigint as rejected_incidents
from node
left join node_health on node_health.node_id = node.id;

-- name: names_in_scope(scope)
-- Enrolled nodes of an area, and those that wait in its district.
select node.name
from node
left join area on area.code = node.area_code and area.valid_to is null
where coalesce(area.path, '') ^@ :scope
union
select name from quarantined_node where :scope = '' or (district || '/') ^@ :scope;

-- name: spot_of(node, spot)^
-- A place by its id, as the newest birth of its node tells of it.
select spot ->> 'id' as id, spot ->> 'name' as name, array(select jsonb_array_elements_text(spot -> 'cameras')) as cameras
from node, jsonb_array_elements(node.spots) as spot
where node.name = :node and spot ->> 'id' = :spot
limit 1;

-- name: devices_around(node, spot, device, scope, count)
-- What stands at the same spot, what shows it, and where the device is a camera, what stands at the spots that it shows.
with place as (
    select spot ->> 'id' as id, spot -> 'cameras' as cameras
    from node, jsonb_array_elements(node.spots) as spot
    where node.name = :node and (spot ->> 'id' = :spot or jsonb_exists(coalesce(spot -> 'cameras', '[]'), :device))
)
select device.id, device.name as device, coalesce(device.title, device.name) as name, device.kind, device.simulated
from device
join node on node.id = device.node_id
left join area on area.code = coalesce(device.grid_code, node.area_code) and area.valid_to is null
where node.name = :node and device.declared and coalesce(area.path, '') ^@ :scope
    and (
        device.name = :device
        or device.spot = :spot
        or exists (
            select from place
            where place.id = device.spot or jsonb_exists(coalesce(place.cameras, '[]'), device.name)
        )
    )
order by device.name <> :device, device.kind = 'camera', device.id
limit :count;
