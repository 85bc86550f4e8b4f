delete from notice where warning_id in (select id from duty_warning where kind = 'handover_unconfirmed');
delete from duty_warning where kind = 'handover_unconfirmed';
alter table duty_warning
    drop constraint duty_warning_kind_check,
    add constraint duty_warning_kind_check check (kind in ('nobody_on_duty', 'no_channel', 'calendar_ends'));
drop table shift_remark;
drop table shift_record;
drop function shift_record_stands();
alter table command drop column drill_id;
alter table work_order drop column drill_id;
alter table incident drop column drill_id;
alter table grid_case drop column drill_id;
drop table drill_step;
drop function history_refuses_change();
drop table drill_leaver;
drop table drill_department;
drop table drill_source;
drop table drill;
