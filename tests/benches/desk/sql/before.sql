create schema desk;

-- Between nought and one, the same each time for the same case.
create function desk.draw(n bigint, salt bigint) returns double precision language sql immutable parallel safe as $$
    select (hashint8extended(n, salt) & 4503599627370495)::double precision / 4503599627370496
$$;

-- The areas are older than their cases.
update area set valid_from = valid_from - make_interval(secs => %(span_s)s + 86400 * 30);

create table desk.place as
select (row_number() over (order by md5(a.code)) - 1)::integer as position, a.code, a.path,
    (a.boundary #>> '{coordinates,0,0,0}')::double precision as longitude,
    (a.boundary #>> '{coordinates,0,0,1}')::double precision as latitude,
    w.id as worker_id, l.id as lead_id
from area a
join account w on w.name = 'worker-' || a.code
join account l on l.name = 'lead-' || a.code
where a.level = 'grid' and a.valid_to is null;

alter table desk.place add primary key (position);

-- Common things first; the last ones are rare.
create table desk.sort as
select s.*, lag(s.upto, 1, 0) over (order by s.upto) as since
from (values
    ('vehicle_dwell', 'traffic', 'camera', 0.300, 'E0401'),
    ('two_wheeler', 'fire_safety', 'camera', 0.480, 'E0402'),
    ('intrusion', 'public_order', 'camera', 0.620, 'E0405'),
    ('loitering', 'public_order', 'camera', 0.740, 'E0405'),
    ('abandoned_object', 'public_order', 'camera', 0.820, 'E0104'),
    ('threshold', 'public_safety', 'sensor', 0.890, 'E0505'),
    ('crowd', 'public_order', 'camera', 0.930, 'E0404'),
    ('camera_trouble', 'maintenance', 'camera', 0.960, 'P0501'),
    ('door_held_open', 'public_order', 'sensor', 0.985, 'E0405'),
    ('overlong_charge', 'fire_safety', 'sensor', 0.998, 'P0104'),
    ('sos', 'public_safety', 'sensor', 0.9999, 'E0504'),
    ('stop_unconfirmed', 'fire_safety', 'sensor', 1.0, 'P0104')
) as s (kind, category, device_kind, upto, category_code);

-- When people and cars are about: the share of a day's cases before the end of each local hour.
create table desk.hour as
select (hour - 1)::integer as hour, sum(weight) over (order by hour) / sum(weight) over () as upto,
    (sum(weight) over (order by hour) - weight) / sum(weight) over () as since
from unnest(array[1, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 7, 6, 6, 7, 8, 8, 9, 10, 8, 6, 4, 3, 2]::double precision[])
    with ordinality as w (weight, hour);

insert into department (code, name, kind, created_at)
select 'desk-' || n, '专业部门' || n, 'department', %(now)s from generate_series(1, 20) n;

create table desk.handler as
select (row_number() over (order by id) - 1)::integer as position, id from department where code ^@ 'desk-';

insert into node (name, district, area_code, created_at, presence)
select 'desk-' || position, %(district)s, code, %(now)s, 'online' from desk.place where position < 100;

insert into device (node_id, name, kind, title, grid_code, longitude, latitude, created_at, presence)
select n.id, k.word || '-' || p.position || '-' || m, k.word, '点位' || p.position || '-' || m, p.code, p.longitude,
    p.latitude, %(now)s, case when desk.draw(p.position * 10 + m, 900 + %(seed)s) < 0.96 then 'online' else 'lost' end
from desk.place p
join node n on n.name = 'desk-' || (p.position %% 100)
cross join (values ('camera', 3), ('sensor', 2)) as k (word, number)
cross join generate_series(1, k.number) m;

create table desk.source as
select p.position, d.kind, (row_number() over (partition by p.position, d.kind order by d.id) - 1)::integer as number, d.id,
    d.name as device, n.name as node
from device d join node n on n.id = d.node_id join desk.place p on p.code = d.grid_code
where n.name ^@ 'desk-';

create index on desk.source (position, kind, number);

create table desk.chief as
select id from account where name ^@ ('chief-' || %(district)s);

analyze desk.place;

analyze desk.source
;

-- Beside the people of the sample: dispatchers of the streets, people of departments, one who audits. They share its password.
insert into account (name, display_name, role, area_code, department_id, password_hash, created_at, password_changed_at)
select 'desk-dispatcher-' || a.code, '派遣员', 'dispatcher', a.code, null::bigint, c.password_hash, %(now)s::timestamptz, %(now)s::timestamptz
from area a cross join (select password_hash from account where name = 'chief-' || %(district)s || '-1') c
where a.level = 'street' and a.valid_to is null
union all
select d.code, d.name, 'department', %(district)s, d.id, c.password_hash, %(now)s, %(now)s
from department d cross join (select password_hash from account where name = 'chief-' || %(district)s || '-1') c
where d.code ^@ 'desk-'
union all
select 'desk-auditor', '审计员', 'auditor', %(district)s, null, c.password_hash, %(now)s, %(now)s
from account c where c.name = 'chief-' || %(district)s || '-1'
