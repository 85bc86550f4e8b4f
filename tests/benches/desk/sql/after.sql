insert into case_counter (district, day, last)
select %(district)s, d::date, 1000000 from generate_series(%(now)s::timestamptz - interval '1 day', %(now)s::timestamptz + interval '2 days', interval '1 day') d
on conflict do nothing;

drop schema desk cascade
