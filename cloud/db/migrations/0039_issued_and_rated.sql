-- Whose hands an account is in: passwords that a person has issued to another. Whose rating it is that a case has.
-- And where an outline lies.
-- depends: 0033_accounts 0030_intake

create table password_issue (
    id bigint generated always as identity primary key,
    account_id bigint not null references account,
    issued_by bigint not null references account,
    issued_at timestamptz not null,
    check (account_id <> issued_by)
);
comment on table password_issue is 'Who made or reset the password of whom: for some time he is no second person beside that account.';
create index password_issue_account on password_issue (account_id, issued_at);
create index password_issue_issuer on password_issue (issued_by, issued_at);
-- Of before this table the audit log tells: where the password has not been changed since, and for longer than anybody counts back.
insert into password_issue (account_id, issued_by, issued_at)
select a.id, i.id, u.at
from account a
join audit u on u.subject = 'account:' || a.name and u.action in ('account.added', 'account.password_reset')
join account i on i.id = u.actor_id and i.id <> a.id
where a.must_change_password or u.at > now() - interval '30 days'
order by u.id;

alter table grid_case add column rated_by_requester boolean not null default false;
comment on column grid_case.rated_by_requester is 'Whether the rating is that of whoever asked for it, which nobody else''s replaces.';

alter table intake_report add column rating smallint check (rating between 1 and 5), add column rated_at timestamptz;
comment on column intake_report.rating is 'What this requester rated last, at `rated_at`; since its case was closed again it may be rated anew.';

create function outline_box(outline jsonb) returns box
language sql immutable strict parallel safe
return (
    select box(point(max(x), max(y)), point(min(x), min(y)))
    from (
        select (place ->> 0)::float8 as x, (place ->> 1)::float8 as y
        from jsonb_path_query(
            outline,
            case outline ->> 'type' when 'MultiPolygon' then '$.coordinates[*][*][*]'::jsonpath else '$.coordinates[*][*]'::jsonpath end
        ) as place
    ) as places
);
comment on function outline_box is 'The box around a GeoJSON Polygon or MultiPolygon, in degrees.';
create index area_outline on area using gist (outline_box(boundary)) where valid_to is null and boundary is not null;
