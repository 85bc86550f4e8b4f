-- Each came to rest once.
insert into whole_stop (case_id, due_at, stopped_at)
select case_id, due_at, stopped_at from whole_clock
where case_id between %(low)s and %(high)s and state = 'paused'
order by case_id;
