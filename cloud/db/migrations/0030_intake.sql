-- What people and other programs report: categories as data, reports, their pictures, residents' requests.
-- depends: 0023_api_keys

create table case_category (
    code text primary key check (code ~ '^[PE][0-9]{2}([0-9]{2})?$'),
    name_zh text not null check (length(name_zh) between 1 and 100),
    name_en text not null check (length(name_en) between 1 and 100),
    category text not null check (length(category) between 1 and 64),
    severity severity not null default 'low',
    kinds text[] not null default '{}',
    closed_at timestamptz
);
comment on table case_category is 'Parts (部件, P) and events (事件, E), two digits of a class (大类) and two of what belongs to it (小类).';
comment on column case_category.category is 'The word by which clocks and figures know it.';
comment on column case_category.severity is 'Of a report that says nothing of it.';
comment on column case_category.kinds is 'Which kinds of incidents of machines are of this category.';

insert into case_category (code, name_zh, name_en, category, severity, kinds) values
    ('P01', '公用设施', 'Public utilities', 'facilities', 'low', '{}'),
    ('P0101', '井盖', 'Manhole covers', 'facilities', 'high', '{}'),
    ('P0102', '路灯', 'Street lights', 'facilities', 'low', '{}'),
    ('P0103', '供水设施', 'Water supply', 'facilities', 'medium', '{}'),
    ('P0104', '充电设施', 'Charging equipment', 'fire_safety', 'high', '{overlong_charge,lost_while_charging,stop_unconfirmed}'),
    ('P0105', '消防设施', 'Fire-fighting equipment', 'fire_safety', 'high', '{}'),
    ('P02', '道路交通', 'Roads and traffic', 'traffic', 'low', '{}'),
    ('P0201', '交通标志', 'Traffic signs', 'traffic', 'low', '{}'),
    ('P0202', '护栏', 'Railings', 'traffic', 'medium', '{}'),
    ('P03', '市容环境', 'Townscape', 'environment', 'low', '{}'),
    ('P0301', '垃圾箱', 'Litter bins', 'environment', 'low', '{}'),
    ('P0302', '公共厕所', 'Public toilets', 'environment', 'low', '{}'),
    ('P04', '园林绿化', 'Green spaces', 'environment', 'low', '{}'),
    ('P0401', '行道树', 'Street trees', 'environment', 'low', '{}'),
    ('P05', '其他部件', 'Other parts', 'facilities', 'low', '{}'),
    ('P0501', '监控设备', 'Surveillance equipment', 'maintenance', 'low', '{camera_trouble,node_lost,outbox_pressure,evidence_pressure,device_fault,line_lost,stale}'),
    ('E01', '市容环境', 'Townscape', 'environment', 'low', '{}'),
    ('E0101', '暴露垃圾', 'Exposed rubbish', 'environment', 'low', '{}'),
    ('E0102', '道路不洁', 'Dirty roads', 'environment', 'low', '{}'),
    ('E0103', '积存渣土', 'Heaps of spoil', 'environment', 'low', '{}'),
    ('E0104', '遗留物品', 'Abandoned objects', 'public_order', 'medium', '{abandoned_object}'),
    ('E02', '宣传广告', 'Advertising', 'environment', 'low', '{}'),
    ('E0201', '违章张贴', 'Illegal posting', 'environment', 'low', '{}'),
    ('E03', '施工管理', 'Building sites', 'environment', 'low', '{}'),
    ('E0301', '施工扰民', 'Noise of building works', 'environment', 'low', '{}'),
    ('E0302', '违法建设', 'Illegal building', 'public_order', 'medium', '{}'),
    ('E04', '街面秩序', 'Order in the street', 'public_order', 'low', '{}'),
    ('E0401', '机动车乱停放', 'Parked vehicles', 'traffic', 'low', '{vehicle_dwell}'),
    ('E0402', '非机动车乱停放', 'Parked two-wheelers', 'fire_safety', 'medium', '{two_wheeler}'),
    ('E0403', '占道经营', 'Street vending', 'public_order', 'low', '{}'),
    ('E0404', '人员聚集', 'Crowds', 'public_order', 'medium', '{crowd}'),
    ('E0405', '入侵徘徊', 'Intrusion and loitering', 'public_order', 'medium', '{intrusion,loitering,line_crossing,tamper,door_held_open}'),
    ('E05', '突发事件', 'Emergencies', 'public_safety', 'high', '{}'),
    ('E0501', '火情', 'Fire', 'fire_safety', 'critical', '{}'),
    ('E0502', '积水内涝', 'Flooding', 'public_safety', 'high', '{}'),
    ('E0503', '路面塌陷', 'Collapsed road', 'public_safety', 'high', '{}'),
    ('E0504', '紧急求助', 'Calls for help', 'public_safety', 'critical', '{sos}'),
    ('E0505', '设备告警', 'Alarms of equipment', 'public_safety', 'medium', '{threshold,rate_of_change,state,event,composite}'),
    ('E06', '居民服务', 'Services for residents', 'service', 'low', '{}'),
    ('E0601', '上门帮扶', 'Help at home', 'service', 'low', '{}'),
    ('E0602', '房屋维修', 'Repairs at home', 'service', 'low', '{}'),
    ('E0603', '邻里纠纷', 'Disputes among neighbours', 'service', 'low', '{}'),
    ('E0604', '其他诉求', 'Other requests', 'service', 'low', '{}');

alter table grid_case
    add column category_code text references case_category,
    add column published_at timestamptz;
comment on column grid_case.published_at is 'When what a resident asked for was offered to teams and property companies (派单).';
update grid_case c set category_code = k.code from case_category k where c.kind = any(k.kinds);
create index grid_case_category on grid_case (category_code, id desc)
    where status not in ('rejected', 'closed', 'merged', 'voided');

create table intake_report (
    id uuid primary key,
    case_id bigint not null references grid_case,
    key_id bigint references api_key,
    account_id bigint references account,
    idempotency_key text not null check (length(idempotency_key) between 1 and 100),
    body_sha256 bytea not null check (octet_length(body_sha256) = 32),
    external_id text check (length(external_id) between 1 and 100),
    link text,
    occurred_at timestamptz not null,
    told_at timestamptz,
    skew_s double precision,
    received_at timestamptz not null,
    check (num_nonnulls(key_id, account_id) = 1)
);
comment on table intake_report is 'What somebody reported, once per idempotency key: a phone or a platform that sends twice makes one case.';
comment on column intake_report.external_id is 'The number that the reporting platform gave it; whoever called is known there and not here.';
comment on column intake_report.link is 'The unguessable end of the address at which the requester sees and rates what became of it.';
comment on column intake_report.told_at is 'When it happened by the clock of the phone; `occurred_at` is that without the skew of the clock.';
create unique index intake_report_of_key on intake_report (key_id, idempotency_key) where key_id is not null;
create unique index intake_report_of_account on intake_report (account_id, idempotency_key) where account_id is not null;
create unique index intake_report_link on intake_report (link) where link is not null;
create index intake_report_case on intake_report (case_id);

create table report_picture (
    case_id bigint not null references grid_case,
    sent_sha256 text not null check (sent_sha256 ~ '^[0-9a-f]{64}$'),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null check (size_bytes > 0),
    width integer not null,
    height integer not null,
    account_id bigint references account,
    stored_at timestamptz not null,
    primary key (case_id, sent_sha256)
);
comment on table report_picture is 'Pictures of people who report, without what the phone wrote into them; `sent_sha256` is of what the phone sent.';
create index report_picture_file on report_picture (sha256);
