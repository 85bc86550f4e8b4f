insert into case_department (department_id, case_id, told_at)
select department_id, id, dispatched_at
from grid_case
where id between %(low)s and %(high)s and department_id is not null and dispatched_at is not null;
