drop index report_picture_kept;
alter table report_picture drop column deleted_at;
alter table legal_hold drop column set_in;
drop index unseal_request_awaited;
alter table unseal_request drop column unmarked, drop column gone_at, drop column ready_at;
drop table sealed_order;
