create or replace function shift_record_stands() returns trigger language plpgsql as $$
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
alter table shift_record drop column taking_note, drop column giver_role;
