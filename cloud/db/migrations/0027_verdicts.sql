-- What people found on the spot, laid on the incidents; proposals for rules that come of it.
-- depends: 0021_case_life

create table incident_verdict (
    incident_id bigint primary key references incident,
    case_id bigint not null references grid_case,
    event_id bigint not null references case_event,
    verdict text not null check (verdict in ('true', 'duplicate', 'false_alarm', 'test', 'unsure')),
    reason text,
    judged_at timestamptz not null,
    judged_by bigint references account
);
comment on table incident_verdict is 'The judgement that holds of an incident. Made from case_event alone and at any time made anew: `gridward-cloud verdicts recompute`.';
create index incident_verdict_judged on incident_verdict (judged_at, incident_id);
create index incident_verdict_case on incident_verdict (case_id);

create table verdict_due (
    id bigint generated always as identity primary key,
    case_id bigint not null references grid_case,
    noted_at timestamptz not null default now()
);
comment on table verdict_due is 'Cases whose history has a step since their verdicts were made.';

create function note_verdict_due() returns trigger language plpgsql as $$
begin
    insert into verdict_due (case_id) values (new.case_id);
    return null;
end
$$;

create trigger case_event_verdict_due after insert on case_event
for each row
when (new.action in ('confirm', 'dismiss', 'inconclusive', 'reopen', 'void', 'merged_in', 'unmerged_from'))
execute function note_verdict_due();

create index case_event_verdict_link on case_event (other_case_id) where other_case_id is not null;

insert into verdict_due (case_id)
select distinct case_id from case_event where action in ('confirm', 'dismiss', 'inconclusive');

create table rule_proposal (
    id bigint generated always as identity primary key,
    node text not null,
    device text not null,
    device_kind text,
    area_path text collate "C" not null,
    rule text not null,
    kind text not null,
    becomes text,
    zone text,
    point text,
    severity text not null,
    category text not null,
    setting text not null,
    measure text not null check (measure in ('dwell_s', 'count', 'value')),
    side text not null check (side in ('above', 'below')),
    from_value double precision,
    to_value double precision not null,
    figures jsonb not null,
    note text,
    proposed_by bigint not null references account,
    proposed_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'accepted', 'declined', 'withdrawn')),
    answered_by bigint references account,
    answered_at timestamptz,
    answer text,
    constraint rule_proposal_answered check (
        (state = 'open') = (answered_at is null) and (answered_by is null) = (answered_at is null)
    )
);
comment on table rule_proposal is 'A threshold that somebody proposes for the next profile, with the figures that he saw.';
comment on column rule_proposal.from_value is 'The least that was told until then: the service does not know how the rule is set.';
create unique index rule_proposal_open on rule_proposal (node, device, rule, setting) where state = 'open';
create index rule_proposal_area on rule_proposal (area_path, id desc);
