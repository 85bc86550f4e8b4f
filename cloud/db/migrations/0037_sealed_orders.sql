-- Sealed originals stay at their nodes: what is ordered of them, and what they answer. Holds know the level that set them.
-- Pictures of reports go when their time is over.
-- depends: 0028_proof 0030_intake

create table sealed_order (
    node text not null,
    sha256 text not null,
    wish text not null check (wish in ('upload', 'keep')),
    until timestamptz,
    ordered_by bigint not null references account,
    ordered_at timestamptz not null,
    tries integer not null default 0,
    next_at timestamptz not null,
    command_id uuid,
    answer text check (answer in ('ordered', 'kept', 'released', 'no_room', 'gone', 'refused')),
    answered_at timestamptz,
    primary key (node, sha256, wish),
    foreign key (node, sha256) references evidence (node, sha256),
    check ((answer is null) = (answered_at is null))
);
comment on table sealed_order is 'Originals (封存原件) that their nodes shall send, or keep. An order waits for its node, with its end.';
comment on column sealed_order.until is 'When the order ends; null: a hold without an end. A hold that was lifted ends when it was.';
comment on column sealed_order.command_id is 'The command that brought it to the node last; null: it has to be brought.';
create index sealed_order_open on sealed_order (node, next_at) where answer is null;
create index sealed_order_file on sealed_order (sha256);

alter table unseal_request
    add column ready_at timestamptz,
    add column gone_at timestamptz,
    add column unmarked boolean not null default false;
comment on column unseal_request.ready_at is 'When the file was here and the permission began to run.';
comment on column unseal_request.gone_at is 'When its node had said that it has it no more.';
comment on column unseal_request.unmarked is 'Asked for without the mark of who sees it: for a court, which needs the bytes that the node sealed.';
create index unseal_request_awaited on unseal_request (expires_at)
    where allowed and handed_at is null and ready_at is null and gone_at is null;
update unseal_request set ready_at = decided_at where allowed;

alter table legal_hold add column set_in text;
comment on column legal_hold.set_in is 'The scope of who set it: it is lifted from there or from above.';
update legal_hold h set set_in = coalesce(
    (
        select area.path from account join area on area.code = account.area_code and area.valid_to is null
        where account.id = h.set_by
    ),
    ''
);
alter table legal_hold alter column set_in set not null;

alter table report_picture add column deleted_at timestamptz;
comment on column report_picture.deleted_at is 'When its bytes were deleted, for their time was over; the audit log says so as well.';
create index report_picture_kept on report_picture (stored_at) where deleted_at is null;
