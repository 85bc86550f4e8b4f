-- Originals: why a file that somebody was allowed to see did not come, what nodes could not keep for a hold and are asked again, and
-- that the service itself has refused what a node sent.
-- depends: 0045_originals_mended

alter table sealed_order
    drop constraint sealed_order_answer_check,
    add constraint sealed_order_answer_check
        check (answer in ('ordered', 'kept', 'released', 'no_room', 'gone', 'refused', 'not_taken')),
    add column words text,
    add column unkept text check (unkept in ('no_room', 'gone', 'refused')),
    add column repeats integer not null default 0;
comment on column sealed_order.words is 'What the node said besides its answer: why the service did not take the file.';
comment on column sealed_order.unkept is 'Why the node could not promise to keep it, until it does: also while it is asked anew.';
comment on column sealed_order.repeats is 'How often it was asked anew after it could not promise.';
update sealed_order set unkept = answer where wish = 'keep' and answer in ('no_room', 'gone', 'refused');
create index sealed_order_unkept on sealed_order (answered_at) where wish = 'keep' and answer in ('no_room', 'refused');

alter table unseal_request
    add column unserved_at timestamptz,
    add column unserved_reason text check (unserved_reason in ('node_away', 'not_answered', 'not_sent', 'refused', 'not_taken', 'gone', 'not_named')),
    add check ((unserved_at is null) = (unserved_reason is null));
comment on column unseal_request.unserved_at is 'When it was over without the file, though it was allowed; whoever asked is told.';
update unseal_request set unserved_at = expires_at, unserved_reason = 'not_sent'
where allowed and handed_at is null and ready_at is null and gone_at is null and expires_at < now();

drop index unseal_request_awaited;
create index unseal_request_awaited on unseal_request (expires_at)
    where allowed and handed_at is null and ready_at is null and gone_at is null and unserved_at is null;
