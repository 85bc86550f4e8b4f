-- The record of a change of shift: of what was given nothing changes but who takes it; as what it was given, and why one from above took it.
-- depends: 0036_drills

alter table shift_record
    add column giver_role text,
    add column taking_note text check (length(taking_note) between 1 and 500);
comment on column shift_record.giver_role is 'The role of who gave it, as it was then.';
comment on column shift_record.taking_note is 'Why somebody of a level above took it, whose shift does not follow.';

create or replace function shift_record_stands() returns trigger language plpgsql as $$
declare
    taken constant text[] := array['taker_id', 'taken_at', 'taken_session', 'taking_note'];
    given constant text[] := array[
        'contents', 'sha256', 'ledger_position', 'ledger', 'words', 'given_at', 'given_session', 'giver_role'
    ];
begin
    if tg_op = 'DELETE' or old.taken_at is not null then
        raise exception 'a confirmed record is not changed; add a remark' using errcode = 'restrict_violation';
    end if;
    if to_jsonb(new) - taken - given is distinct from to_jsonb(old) - taken - given then
        raise exception 'whose record it is, and of what, stays as it is' using errcode = 'restrict_violation';
    end if;
    if old.given_at is not null and to_jsonb(new) - taken is distinct from to_jsonb(old) - taken then
        raise exception 'what was given stays as it is; add a remark' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
