-- Enrolment: claims, the keys of nodes, credentials and their ends.

-- name: lock_open_claim(node)$
select id from claim where node = :node and used_at is null and revoked_at is null for update;

-- name: withdraw_open_claims(node, scope, now)!
update claim
set revoked_at = :now
where node = :node and used_at is null and revoked_at is null
    and (
        expires_at <= :now
        or not exists (
            select from area
            where area.code = claim.area_code and area.valid_to is null and not area.path ^@ :scope
        )
    );

-- name: add_claim(node, district, area_code, trusts_births, selector, code_hash, made_by, made_by_name, made_at, expires_at)$
-- Nothing comes back where the selector is taken, or where somebody else has made a claim for this node meanwhile.
insert into claim (node, district, area_code, trusts_births, selector, code_hash, made_by, made_by_name, made_at, expires_at)
values (:node, :district, :area_code, :trusts_births, :selector, :code_hash, :made_by, :made_by_name, :made_at, :expires_at)
on conflict do nothing
returning id;

-- name: lock_claim(selector)^
select id, node, district, area_code, trusts_births, selector, code_hash, made_by_name as made_by, made_at, expires_at,
    failures, used_at, used_key, revoked_at
from claim
where selector = :selector
for update;

-- name: count_claim_failure(selector)!
update claim set failures = failures + 1 where selector = :selector and used_at is null;

-- name: use_claim(id, key, now)!
update claim set used_at = coalesce(used_at, :now), used_key = :key where id = :id;

-- name: claims(scope, after, count)
-- The newest first.
select claim.id, claim.node, claim.district, claim.area_code, claim.trusts_births, claim.selector, claim.code_hash,
    claim.made_by_name as made_by, claim.made_at, claim.expires_at, claim.failures, claim.used_at, claim.used_key,
    claim.revoked_at
from claim
left join area on area.code = claim.area_code and area.valid_to is null
where coalesce(area.path, '') ^@ :scope and (:after::bigint is null or claim.id < :after)
order by claim.id desc
limit :count;

-- name: revoke_claim(id, scope, now)^
update claim
set revoked_at = :now
from area
where claim.id = :id and area.code = claim.area_code and area.valid_to is null and area.path ^@ :scope
    and claim.used_at is null and claim.revoked_at is null
returning claim.node, area.path as area_path;

-- name: prune_claims(before)!
delete from claim where coalesce(used_at, revoked_at, expires_at) < :before;

-- name: make_secret(secret)!
insert into enrolment_secret (secret) values (:secret) on conflict do nothing;

-- name: secret()$
select secret from enrolment_secret;

-- name: spend(nonce, now)$
-- Nothing comes back for one that was spent before.
insert into spent_challenge (nonce, spent_at) values (:nonce, :now) on conflict do nothing returning nonce;

-- name: prune_challenges(before)!
delete from spent_challenge where spent_at < :before;

-- name: lock_bound(name)^
select node.id, node.name, node.district, node.area_code, node_key.public_key, node.renewal_wanted_at
from node
left join node_key on node_key.node_id = node.id and node_key.replaced_at is null
where node.name = :name
for no key update of node;

-- name: bound_in_scope(name, scope)^
select node.id, node.name, node.district, node.area_code, node_key.public_key, node.renewal_wanted_at,
    coalesce(area.path, '') as area_path, node_key.bound_at, node.trusts_births, node.token_hash is not null as has_secrets,
    node.secrets_until
from node
left join node_key on node_key.node_id = node.id and node_key.replaced_at is null
left join area on area.code = node.area_code and area.valid_to is null
where node.name = :name and coalesce(area.path, '') ^@ :scope;

-- name: node_of_key(public_key)$
select node.name
from node_key
join node on node.id = node_key.node_id
where node_key.public_key = :public_key and node_key.replaced_at is null;

-- name: replace_key(node_id, now)!
update node_key set replaced_at = :now where node_id = :node_id and replaced_at is null;

-- name: add_key(node_id, public_key, now)!
insert into node_key (node_id, public_key, bound_at) values (:node_id, :public_key, :now);

-- name: begin_signing(node_id, now)!
with begun as (
    update node_key set signs_from = :now
    where node_id = :node_id and replaced_at is null and signs_from is null
    returning node_id
)
update node set registry_version = registry_version + 1 from begun where node.id = begun.node_id;

-- name: signing_keys(node_ids)
select node_id, public_key
from node_key
where node_id = any(:node_ids::bigint[]) and replaced_at is null and signs_from is not null;

-- name: held_of(node)
select channel, reason, count(*) as messages, sum(octet_length(payload))::bigint as bytes,
    min(received_at) as since, max(received_at) as latest_at, reason in ('unsigned', 'bad_signature') as needs_word
from quarantine
where node = :node and not released
group by channel, reason
order by needs_word desc, channel, reason;

-- name: unproven(node, count)
select id, reason, subject, received_at, payload
from quarantine
where node = :node and not released and reason in ('unsigned', 'bad_signature')
order by id desc
limit :count;

-- name: vouch(node, by, upto)!
update quarantine
set released = true, vouched_by = :by
where node = :node and not released and reason in ('unsigned', 'bad_signature') and (:upto::bigint is null or id <= :upto);

-- name: ignored_devices(node_ids)
select node_id, name from waiting_device where node_id = any(:node_ids::bigint[]) and ignored_at is not null;

-- name: renew_registry(node_id)!
update node set registry_version = registry_version + 1 where id = :node_id;

-- name: set_trust(node_id, trusts_births)!
update node set trusts_births = :trusts_births where id = :node_id;

-- name: credentials(node_id)
select generation, issued_at, expires_at, used_at from node_credential where node_id = :node_id order by generation;

-- name: add_credential(node_id, generation, mqtt_password_hash, token_hash, issued_at, expires_at)!
insert into node_credential (node_id, generation, mqtt_password_hash, token_hash, issued_at, expires_at)
values (:node_id, :generation, :mqtt_password_hash, :token_hash, :issued_at, :expires_at);

-- name: end_credentials(node_id, generations, at)!
update node_credential
set expires_at = :at
where node_id = :node_id and generation = any(:generations::integer[]) and expires_at > :at;

-- name: end_all_credentials(node_id, at)!
update node_credential set expires_at = :at where node_id = :node_id and expires_at > :at;

-- name: end_secrets(node_id, at)!
-- Those of `node add`.
update node
set secrets_until = :at
where id = :node_id and token_hash is not null and (secrets_until is null or secrets_until > :at);

-- name: mark_used(node_id, generation, now)!
update node_credential set used_at = coalesce(used_at, :now) where node_id = :node_id and generation = :generation;

-- name: want_renewal(node_id, at)!
update node set renewal_wanted_at = :at where id = :node_id;

-- name: highest_generation(node_id)$
select coalesce(max(generation), 0) from node_credential where node_id = :node_id;

-- name: prune_credentials(before)!
-- The newest of each node stays, so that its generation is never given again.
delete from node_credential
where expires_at < :before
    and generation < (select max(other.generation) from node_credential other where other.node_id = node_credential.node_id);

-- name: use_command_key(public_key, now)$
-- Nothing comes back for one that was retired.
insert into command_key as known (public_key, first_used_at) values (:public_key, :now)
on conflict (public_key) do update set first_used_at = known.first_used_at where known.retired_at is null
returning public_key;

-- name: command_keys()
-- The newest: what is used now has to be among them.
select public_key from command_key where retired_at is null order by first_used_at desc, public_key limit 16;

-- name: is_retired(public_key)$
select exists (select from command_key where public_key = :public_key and retired_at is not null);

-- name: list_command_keys()
select public_key, first_used_at, retired_at from command_key order by first_used_at desc, public_key;

-- name: lock_command_keys()
select public_key, first_used_at, retired_at from command_key order by first_used_at desc, public_key for update;

-- name: retire_command_key(public_key, now)!
update command_key set retired_at = :now where public_key = :public_key and retired_at is null;
