-- Reports of people and other programs.

-- name: categories()
select code, name_zh, name_en, category, severity::text as severity, kinds
from case_category
where closed_at is null
order by code;

-- name: category(code)^
select code, name_zh, name_en, category, severity::text as severity, kinds
from case_category
where code = :code and length(code) = 5 and closed_at is null;

-- name: lock_key(key)
-- Two reports with one idempotency key take turns.
select pg_advisory_xact_lock(30, hashtext(:key));

-- name: report_of_key(key_id, account_id, idempotency_key)^
select id, case_id, body_sha256, link, received_at
from intake_report
where idempotency_key = :idempotency_key
  and (key_id = :key_id::bigint or account_id = :account_id::bigint);

-- name: insert_report(id, case_id, key_id, account_id, idempotency_key, body_sha256, external_id, link, occurred_at, told_at, skew_s, received_at)!
insert into intake_report (
    id, case_id, key_id, account_id, idempotency_key, body_sha256, external_id, link, occurred_at, told_at, skew_s, received_at
) values (
    :id, :case_id, :key_id, :account_id, :idempotency_key, :body_sha256, :external_id, :link, :occurred_at, :told_at,
    :skew_s, :received_at
);

-- name: report(id, key_id, account_id)^
-- Whoever handed it in.
select id, case_id, link, received_at, external_id
from intake_report
where id = :id and (key_id = :key_id::bigint or account_id = :account_id::bigint);

-- name: report_of_link(link)^
-- Locked: who rates twice at once is asked for twice.
select id, case_id, rated_at from intake_report where link = :link for no key update;

-- name: told_of(report_id, link)^
-- What whoever handed it in told himself, and rated. Of a case that took his in nothing but how far it is.
select r.case_id, r.rating, r.rated_at, c.category_code, c.title, c.address, c.longitude, c.latitude, c.opened_at, k.name_zh,
    k.name_en,
    (select max(e.at) from case_event e where e.case_id = c.id and e.to_status is not null) as moved_at
from intake_report r
join grid_case c on c.id = r.case_id
left join case_category k on k.code = c.category_code
where r.id = :report_id::uuid or r.link = :link;

-- name: rate_report(rating, rated_at, id)!
update intake_report set rating = :rating, rated_at = :rated_at where id = :id;

-- name: followed(case_id)^
-- The case, or the one that took it in.
with recursive chain as (
    select id, merged_into from grid_case where id = :case_id
    union
    select c.id, c.merged_into from chain join grid_case c on c.id = chain.merged_into
)
select c.id, c.number, c.status, c.ended_at, clock.due_at,
    (select max(e.at) from case_event e where e.case_id = c.id and e.to_status is not null) as moved_at
from chain
join grid_case c on c.id = chain.id and c.merged_into is null
left join case_clock clock on clock.case_id = c.id and clock.state = 'running';

-- name: grids_around(scope, longitude, latitude)
-- The areas without any below them, with their outlines, whose box has the place in it: one index look-up, not thousands of outlines.
select a.code, a.path, a.boundary
from area a
where a.valid_to is null and a.path ^@ :scope and a.boundary is not null
  and outline_box(a.boundary) @> point(:longitude::float8, :latitude::float8)
  and not exists (select from area b where b.parent_code = a.code and b.valid_to is null)
order by a.code;

-- name: near(scope, department, statuses, category_code, category, area_code, west, east, south, north, drill, simulated, but, count)
-- Cases that go on, of the same category, in the same box or, where nobody said where exactly, in the same area. What is simulated is no
-- case that a real one may be taken for, nor the other way round.
select c.id, c.number, c.status, c.severity::text as severity, c.title, c.kind, c.opened_at, c.simulated,
    coalesce(c.longitude, d.longitude) as longitude, coalesce(c.latitude, d.latitude) as latitude
from grid_case c
left join device d on d.id = c.device_id
where c.area_path ^@ :scope
  and (
    :department::bigint is null
    or exists (select from case_department told where told.case_id = c.id and told.department_id = :department)
  )
  and c.status not in ('rejected', 'closed', 'merged', 'voided')
  and c.status = any(:statuses::text[])
  and (c.category_code = :category_code or (c.category_code is null and c.category = :category))
  and c.drill = :drill and c.simulated = :simulated
  and c.id is distinct from :but::bigint
  and (
    coalesce(c.longitude, d.longitude) between :west::float8 and :east::float8
        and coalesce(c.latitude, d.latitude) between :south::float8 and :north::float8
    or (c.area_code = :area_code and (:west::float8 is null or coalesce(c.longitude, d.longitude) is null))
  )
order by c.id desc
limit :count;

-- name: place_of(case_id)^
select c.id, c.category_code, c.category, c.area_code, c.drill, c.simulated, coalesce(c.longitude, d.longitude) as longitude,
    coalesce(c.latitude, d.latitude) as latitude
from grid_case c left join device d on d.id = c.device_id
where c.id = :case_id;

-- name: lock_pictures(case_id)
select pg_advisory_xact_lock(31, :case_id::int);

-- name: pictures(case_id)
select sent_sha256, sha256, size_bytes, width, height from report_picture where case_id = :case_id and deleted_at is null order by stored_at, sha256;

-- name: insert_picture(case_id, sent_sha256, sha256, size_bytes, width, height, account_id, stored_at)!
insert into report_picture (case_id, sent_sha256, sha256, size_bytes, width, height, account_id, stored_at)
values (:case_id, :sent_sha256, :sha256, :size_bytes, :width, :height, :account_id, :stored_at)
on conflict do nothing;

-- name: picture_of(case_id, sha256)^
-- Of the case, or of one that was merged into it, or into one that was.
with recursive taken_in as (
    select id, area_path, status from grid_case where id = :case_id
    union
    select c.id, c.area_path, taken_in.status from taken_in join grid_case c on c.merged_into = taken_in.id
)
select p.sha256, p.size_bytes, taken_in.area_path, taken_in.status
from report_picture p join taken_in on taken_in.id = p.case_id
where p.sha256 = :sha256 and p.deleted_at is null
limit 1;

-- name: forget_links(before)!
-- Who could rate it can't any more: nothing leads from outside to the case.
update intake_report r set link = null
from grid_case c
where c.id = r.case_id and r.link is not null and c.ended_at < :before and c.status in ('rejected', 'closed', 'voided');

-- name: words_over(before, now, closed_statuses, count)
-- What people wrote who are no staff, and where: when the case is over for long, and the one that took it in, and nobody holds either
-- (法律保全).
select c.id
from grid_case c
where c.origin in ('request', 'hotline', 'platform') and c.ended_at < :before and num_nonnulls(c.title, c.description, c.address) > 0
    and not exists (
        with recursive line as (
            select id, status, ended_at, merged_into from grid_case where id = c.id
            union
            select g.id, g.status, g.ended_at, g.merged_into from line join grid_case g on g.id = line.merged_into
        )
        select from line
        where not line.status = any(:closed_statuses::text[]) or line.ended_at is null or line.ended_at >= :before
            or exists (
                select from legal_hold h
                where h.case_id = line.id and h.lifted_at is null and (h.until is null or h.until > :now)
            )
    )
order by c.ended_at
limit :count;

-- name: forget_words(case_ids, before, now, closed_statuses)
-- Asked anew of each, once it is locked. What kind of thing it was, and when, stays.
update grid_case c set title = null, description = null, address = null
where c.id = any(:case_ids::bigint[]) and c.ended_at < :before and num_nonnulls(c.title, c.description, c.address) > 0
    and not exists (
        with recursive line as (
            select id, status, ended_at, merged_into from grid_case where id = c.id
            union
            select g.id, g.status, g.ended_at, g.merged_into from line join grid_case g on g.id = line.merged_into
        )
        select from line
        where not line.status = any(:closed_statuses::text[]) or line.ended_at is null or line.ended_at >= :before
            or exists (
                select from legal_hold h
                where h.case_id = line.id and h.lifted_at is null and (h.until is null or h.until > :now)
            )
    )
returning c.id, c.number, c.area_path;

-- name: pictures_over(before, now, closed_statuses, count)
-- Pictures of cases that are over for long, as are those that took them in, and that nobody holds.
select p.case_id, p.sent_sha256, p.sha256, p.size_bytes, c.number, c.area_path
from report_picture p
join grid_case c on c.id = p.case_id
where p.deleted_at is null and p.stored_at < :before
    and not exists (
        with recursive line as (
            select id, status, ended_at, merged_into from grid_case where id = p.case_id
            union
            select g.id, g.status, g.ended_at, g.merged_into from line join grid_case g on g.id = line.merged_into
        )
        select from line
        where not line.status = any(:closed_statuses::text[]) or line.ended_at is null or line.ended_at >= :before
            or exists (
                select from legal_hold h
                where h.case_id = line.id and h.lifted_at is null and (h.until is null or h.until > :now)
            )
    )
order by p.stored_at
limit :count;

-- name: lock_lines(case_ids)
-- Cases and those that took them in: who holds one waits, and who had held it before is seen by what is asked next.
select id from grid_case
where id in (
    with recursive line as (
        select id, merged_into from grid_case where id = any(:case_ids::bigint[])
        union
        select g.id, g.merged_into from line join grid_case g on g.id = line.merged_into
    )
    select id from line
)
order by id
for share;

-- name: delete_picture(case_id, sent_sha256, before, now, closed_statuses)!
update report_picture p set deleted_at = :now
where p.case_id = :case_id and p.sent_sha256 = :sent_sha256 and p.deleted_at is null
    and not exists (
        with recursive line as (
            select id, status, ended_at, merged_into from grid_case where id = p.case_id
            union
            select g.id, g.status, g.ended_at, g.merged_into from line join grid_case g on g.id = line.merged_into
        )
        select from line
        where not line.status = any(:closed_statuses::text[]) or line.ended_at is null or line.ended_at >= :before
            or exists (
                select from legal_hold h
                where h.case_id = line.id and h.lifted_at is null and (h.until is null or h.until > :now)
            )
    );
