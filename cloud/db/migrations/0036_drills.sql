-- Drills: what is only exercised, by whom it is found, and what opened it; the record of a change of shift.
-- depends: 0033_accounts

create table drill (
    id bigint generated always as identity primary key,
    name text not null check (length(name) between 1 and 100),
    purpose text not null check (length(purpose) between 1 and 500),
    area_code text not null,
    area_path text collate "C" not null check (area_path <> ''),
    reports boolean not null,
    channels boolean not null,
    started_at timestamptz not null,
    started_by bigint references account,
    planned_end_at timestamptz not null check (planned_end_at > started_at),
    ended_at timestamptz check (ended_at >= started_at),
    ended_by bigint references account
);
comment on table drill is 'An exercise (演练). What its chosen sources find while it lasts is marked, and in no figure; all else stays real.';
comment on column drill.reports is 'People may report into it by its own form.';
comment on column drill.channels is 'People are told outside of the page too.';
comment on column drill.ended_by is 'Null when it ended at its planned end.';
create index drill_area on drill (area_path, id desc);
create index drill_running on drill (planned_end_at) where ended_at is null;

create table drill_source (
    drill_id bigint not null references drill,
    node text not null,
    device text,
    rule text
);
comment on column drill_source.device is 'Null: every device of the node.';
comment on column drill_source.rule is 'Null: every rule.';
create unique index drill_source_once on drill_source (drill_id, node, coalesce(device, ''), coalesce(rule, ''));
create index drill_source_node on drill_source (node);

create table drill_department (
    drill_id bigint not null references drill,
    department_id bigint not null references department,
    primary key (drill_id, department_id)
);
comment on table drill_department is 'The departments that take part. No other hears of it.';

create table drill_leaver (
    drill_id bigint not null references drill,
    node text not null,
    device text not null,
    left_at timestamptz not null,
    primary key (drill_id, node, device)
);
comment on table drill_leaver is 'Devices that found something real while it lasted: what they find from then on is real.';

create table drill_step (
    id bigint generated always as identity primary key,
    drill_id bigint not null references drill,
    at timestamptz not null,
    actor_id bigint references account,
    action text not null check (action in ('started', 'prolonged', 'ended', 'made_real')),
    until timestamptz,
    case_id bigint references grid_case,
    note text check (length(note) between 1 and 500)
);
create index drill_step_drill on drill_step (drill_id, id);

create function history_refuses_change() returns trigger language plpgsql as $$
begin
    raise exception 'what happened is only ever added to' using errcode = 'restrict_violation';
end
$$;
create trigger drill_step_append_only before update or delete on drill_step
    for each row execute function history_refuses_change();

alter table grid_case
    add column drill_id bigint references drill,
    add constraint grid_case_of_drill check (drill or drill_id is null);
alter table incident add column drill_id bigint references drill;
alter table work_order add column drill_id bigint references drill;
alter table command add column drill_id bigint references drill;
create index grid_case_drill on grid_case (drill_id, id) where drill_id is not null;
create index incident_drill on incident (drill_id) where drill_id is not null;
create index work_order_drill on work_order (drill_id) where drill_id is not null;
comment on column incident.drill_id is 'The drill that it was found for; null for all that is real.';

create table shift_record (
    id bigint generated always as identity primary key,
    shift_id bigint not null references duty_shift unique,
    area_code text not null,
    area_path text collate "C" not null,
    kind text not null,
    ends_at timestamptz not null,
    due_at timestamptz not null check (due_at >= ends_at),
    giver_id bigint not null references account,
    drawn_at timestamptz not null,
    contents text,
    sha256 bytea check (octet_length(sha256) = 32),
    ledger_position bigint,
    ledger bytea check (octet_length(ledger) = 32),
    words text check (length(words) <= 4000),
    given_at timestamptz,
    given_session bigint,
    taker_id bigint references account,
    taken_at timestamptz,
    taken_session bigint,
    check (taker_id is distinct from giver_id),
    check ((given_at is null) = (contents is null) and (given_at is null) = (sha256 is null)),
    check ((ledger is null) = (ledger_position is null)),
    check (taken_at is null or (given_at is not null and taker_id is not null and taken_session is distinct from given_session))
);
comment on table shift_record is 'The record of a change of shift (交接班记录): how things stood, as the one who goes gave it and the one who comes took it.';
comment on column shift_record.contents is 'Canonical JSON, as it was hashed.';
comment on column shift_record.ledger is 'The end of the ledger of cases at that time, and its position.';
comment on column shift_record.due_at is 'Until when both have confirmed it; then the level above is told.';
create index shift_record_area on shift_record (area_path, id desc);
create index shift_record_open on shift_record (due_at) where taken_at is null;

create function shift_record_stands() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.taken_at is not null then
        raise exception 'a confirmed record is not changed; add a remark' using errcode = 'restrict_violation';
    end if;
    if old.given_at is not null and (new.contents, new.sha256, new.words, new.given_at, new.giver_id, new.ledger, new.given_session)
        is distinct from (old.contents, old.sha256, old.words, old.given_at, old.giver_id, old.ledger, old.given_session)
    then
        raise exception 'what was given stays as it is; add a remark' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger shift_record_stays before update or delete on shift_record
    for each row execute function shift_record_stands();

create table shift_remark (
    id bigint generated always as identity primary key,
    record_id bigint not null references shift_record,
    at timestamptz not null,
    actor_id bigint not null references account,
    note text not null check (length(note) between 1 and 2000)
);
create index shift_remark_record on shift_remark (record_id, id);
create trigger shift_remark_append_only before update or delete on shift_remark
    for each row execute function history_refuses_change();

alter table duty_warning
    drop constraint duty_warning_kind_check,
    add constraint duty_warning_kind_check
        check (kind in ('nobody_on_duty', 'no_channel', 'calendar_ends', 'handover_unconfirmed'));
