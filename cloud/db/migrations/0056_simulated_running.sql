-- What goes on and is simulated is counted beside what is open, without reading the cases that are real.
-- depends: 0055_kinds_of_places

create index grid_case_simulated_running on grid_case (area_path, status)
    where simulated and not drill and status not in ('rejected', 'closed', 'merged', 'voided');
