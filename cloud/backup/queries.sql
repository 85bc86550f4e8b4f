-- Backup and restore: what the catalogue of the server says of our schema.

-- name: write_portably()$
-- Text that every version and setting of PostgreSQL reads alike; a long COPY is no mistake.
select count(set_config(name, value, false))
from (values
    ('timezone', 'UTC'),
    ('datestyle', 'ISO, YMD'),
    ('intervalstyle', 'iso_8601'),
    ('bytea_output', 'hex'),
    ('extra_float_digits', '1'),
    ('client_encoding', 'UTF8'),
    ('statement_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('lock_timeout', '60s')
) as setting (name, value);

-- name: tables()
-- Tables with the columns that hold something of their own. Partitions and chunks are read through their parent; what
-- belongs to an extension, and the notes of the migrations, are made anew.
select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relnamespace = quote_ident(current_schema())::regnamespace
    and c.relkind in ('r', 'p')
    and not c.relispartition
    and c.relname !~ '^_?yoyo_'
    and not exists (
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
group by c.relname
order by c.relname;

-- name: references_between()
-- Which table refers to which.
select distinct child.relname as child, parent.relname as parent
from pg_constraint
join pg_class child on child.oid = pg_constraint.conrelid
join pg_class parent on parent.oid = pg_constraint.confrelid
where pg_constraint.contype = 'f'
    and child.relnamespace = quote_ident(current_schema())::regnamespace
    and child.oid <> parent.oid;

-- name: guarded()
-- Tables with triggers of our own, which are for changes of people and programs, not for a restore.
select distinct c.relname as name
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal
    and c.relnamespace = quote_ident(current_schema())::regnamespace
    and c.relkind = 'r'
    and not exists (
        select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = t.tgfoid and d.deptype = 'e'
    )
order by c.relname;

-- name: sequences()
-- Sequences that have given out a number. They are no part of a snapshot, and only grow: read after it, none is too low.
select sequencename as name, last_value
from pg_sequences
where schemaname = current_schema()
    and sequencename !~ '^_?yoyo_'
    and last_value is not null
order by sequencename;

-- name: all_sequences()
select sequencename as name from pg_sequences where schemaname = current_schema();

-- name: set_sequence(name, last_value)$
select setval(quote_ident(:name)::regclass, :last_value);

-- name: reading_months()
-- Months in which there are readings, by their first moment.
select distinct date_trunc('month', observed_at at time zone 'UTC') at time zone 'UTC' as month
from reading
where observed_at >= '1970-01-01' and observed_at < '9999-01-01'
order by month;

-- name: other_sessions()
-- Whoever else is connected to this database.
select coalesce(nullif(application_name, ''), 'unnamed') as name, count(*) as sessions
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
group by 1
order by 1;
