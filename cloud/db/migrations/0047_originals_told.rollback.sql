drop index unseal_request_awaited;
create index unseal_request_awaited on unseal_request (expires_at)
    where allowed and handed_at is null and ready_at is null and gone_at is null;
alter table unseal_request drop column unserved_at, drop column unserved_reason;

drop index sealed_order_unkept;
update sealed_order set answer = 'refused' where answer = 'not_taken';
alter table sealed_order
    drop constraint sealed_order_answer_check,
    add constraint sealed_order_answer_check check (answer in ('ordered', 'kept', 'released', 'no_room', 'gone', 'refused')),
    drop column words,
    drop column unkept,
    drop column repeats;
