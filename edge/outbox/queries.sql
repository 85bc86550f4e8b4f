-- name: series_all
SELECT id, device, point FROM series

-- name: series_add
INSERT INTO series (device, point) VALUES (:device, :point)

-- name: reading_add
INSERT INTO reading (series, observed_at_us, value, flag, replayed, accepted_at_us, timebase)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: reading_fresh
SELECT row, series, observed_at_us, value, flag, replayed, accepted_at_us, timebase FROM reading
WHERE replayed = 0 AND accepted_at_us >= :fresh_us
ORDER BY accepted_at_us, row LIMIT :limit

-- name: reading_old
SELECT row, series, observed_at_us, value, flag, replayed, accepted_at_us, timebase FROM reading
WHERE replayed = 0 AND accepted_at_us < :fresh_us
ORDER BY accepted_at_us, row LIMIT :limit

-- name: reading_replayed
SELECT row, series, observed_at_us, value, flag, replayed, accepted_at_us, timebase FROM reading
WHERE replayed = 1
ORDER BY accepted_at_us, row LIMIT :limit

-- name: reading_remove
DELETE FROM reading WHERE row = ?

-- name: reading_oldest_row
SELECT row FROM reading ORDER BY row LIMIT 1 OFFSET :skip

-- name: reading_last_row
SELECT max(row) FROM reading

-- name: reading_ranges_through
SELECT series.device, timebase, min(observed_at_us), max(observed_at_us), count(*)
FROM reading JOIN series ON series.id = reading.series
WHERE reading.row <= :row GROUP BY series.device, timebase

-- name: reading_remove_through
DELETE FROM reading WHERE row <= :row

-- name: reading_oldest
SELECT accepted_at_us, timebase FROM reading ORDER BY row LIMIT 1

-- name: receipt_add
INSERT INTO receipt (source, mark) VALUES (?, ?)

-- name: receipt_trim
DELETE FROM receipt WHERE source = :source AND row <= (
    SELECT row FROM receipt WHERE source = :source ORDER BY row DESC LIMIT 1 OFFSET :keep)

-- name: receipts_of
SELECT mark FROM (
    SELECT row, mark FROM receipt WHERE source = :source AND typeof(mark) = 'blob' ORDER BY row DESC LIMIT :keep
) ORDER BY row

-- name: receipts_kept
SELECT count(*) FROM receipt

-- name: gap_add
INSERT INTO gap (device, reason, from_us, to_us, count) VALUES (:device, :reason, :from_us, :to_us, :count)
ON CONFLICT (device, reason) DO UPDATE SET
    from_us = min(from_us, excluded.from_us), to_us = max(to_us, excluded.to_us), count = count + excluded.count

-- name: gap_all
SELECT device, reason, from_us, to_us, count FROM gap ORDER BY device, reason LIMIT :limit

-- name: gap_remove
DELETE FROM gap WHERE device = :device AND reason = :reason

-- name: record_add
INSERT INTO record (message_id, channel, lane, accepted_at_us, replayed, readings, body, timebase)
VALUES (:message_id, :channel, :lane, :accepted_at_us, :replayed, :readings, :body, :timebase)

-- name: record_fresh
SELECT row, message_id, channel, lane, accepted_at_us, replayed, body, timebase FROM record
WHERE lane = :lane AND accepted_at_us >= :fresh_us AND row NOT IN (SELECT value FROM json_each(:skip))
ORDER BY accepted_at_us, row LIMIT :limit

-- name: record_old
SELECT row, message_id, channel, lane, accepted_at_us, replayed, body, timebase FROM record
WHERE lane = :lane AND accepted_at_us < :fresh_us AND row NOT IN (SELECT value FROM json_each(:skip))
ORDER BY accepted_at_us, row LIMIT :limit

-- name: record_by_id
SELECT row, channel, readings, body, timebase FROM record WHERE message_id = :message_id

-- name: record_remove
DELETE FROM record WHERE message_id = :message_id

-- name: record_counts
-- Asked every two seconds, however many incidents wait: they alone are in their lane, and are counted in the index.
SELECT 'up/incident', count(*) FROM record WHERE lane = 'incident'
UNION ALL SELECT channel, count(*) FROM record WHERE lane IN ('live', 'history') GROUP BY channel

-- name: evidence_add
INSERT INTO evidence (sha256, message_id, mime, bytes, captured_at_us, kind, original)
VALUES (:sha256, :message_id, :mime, :bytes, :captured_at_us, :kind, :original)
ON CONFLICT (sha256) DO NOTHING

-- name: evidence_rise
-- A file is as severe as the worst incident that names it has been.
UPDATE evidence SET severity = max(severity, :severity)
WHERE sha256 IN (SELECT sha256 FROM naming WHERE incident_id = :incident_id)

-- name: evidence_in_order
-- What goes first where there is no room: the least severe, of these what is sealed, then films, then pictures; the oldest first. What is
-- held, or on its way to people who wait for it, stays.
SELECT sha256, bytes FROM evidence
WHERE (:any_mime OR mime = :mime) AND held_until_us <= :now_us AND wanted_until_us <= :now_us AND (severity < :severity OR (severity = :severity
    AND CASE kind WHEN 'sealed' THEN 0 WHEN 'snapshot' THEN 2 WHEN '' THEN 0 ELSE 1 END <= :weight))
ORDER BY severity, CASE kind WHEN 'sealed' THEN 0 WHEN 'snapshot' THEN 2 WHEN '' THEN 0 ELSE 1 END, captured_at_us, sha256

-- name: naming_add
INSERT INTO naming (sha256, incident_id) VALUES (:sha256, :incident_id) ON CONFLICT DO NOTHING

-- name: naming_remove
DELETE FROM naming WHERE sha256 = :sha256

-- name: named_add
INSERT INTO named (incident_id, body, timebase) VALUES (:incident_id, :body, :timebase) ON CONFLICT DO NOTHING

-- name: named_revise
UPDATE named SET body = :body, timebase = :timebase, dropped = CASE WHEN :told THEN 0 ELSE dropped END
WHERE incident_id = :incident_id

-- name: named_drop
UPDATE named SET dropped = dropped + 1
WHERE incident_id IN (SELECT incident_id FROM naming WHERE sha256 = :sha256)

-- name: named_dropped
SELECT body, timebase FROM named WHERE dropped > 0 ORDER BY rowid LIMIT :limit

-- name: named_prune
DELETE FROM named WHERE dropped = 0 AND NOT EXISTS (SELECT 1 FROM naming WHERE naming.incident_id = named.incident_id)

-- name: evidence_release
UPDATE evidence SET ready = 1 WHERE message_id = :message_id

-- name: evidence_name
UPDATE evidence SET ready = 1 WHERE sha256 = :sha256

-- name: evidence_of
-- Those that wait for this message alone: what another revision has named and the cloud has accepted is on its way.
SELECT sha256 FROM evidence WHERE message_id = :message_id AND ready = 0

-- name: evidence_hand_on
UPDATE evidence SET message_id = :message_id WHERE sha256 = :sha256

-- name: record_naming
-- Another incident, or another revision of the same, that waits and names this file.
SELECT message_id FROM record
WHERE channel = 'up/incident' AND message_id <> :message_id AND instr(body, CAST(:sha256 AS BLOB)) > 0 LIMIT 1

-- name: evidence_all
SELECT sha256, bytes FROM evidence

-- name: evidence_sealed
SELECT sha256 FROM evidence WHERE mime = :sealed_mime

-- name: evidence_due
-- What people look at goes before what is sealed, however old that is; an original that is kept here goes when it was ordered.
SELECT sha256, mime, bytes, attempts FROM evidence
WHERE ready = 1 AND next_at_us <= :now_us AND (original = 0 OR wanted_until_us > :now_us) ORDER BY mime = :sealed_mime, captured_at_us LIMIT 1

-- name: evidence_delay
UPDATE evidence SET attempts = attempts + :attempts, next_at_us = :next_at_us WHERE sha256 = :sha256

-- name: original_known
SELECT original, bytes, held_until_us, wanted_until_us FROM evidence WHERE sha256 = :sha256 AND mime = :sealed_mime

-- name: original_order
-- A new order is tried at once, however often the last one failed. What was ordered stays here, whatever was thought of it before.
UPDATE evidence SET original = 1, wanted_until_us = :until_us, attempts = 0, next_at_us = 0
WHERE sha256 = :sha256 AND mime = :sealed_mime

-- name: original_hold
UPDATE evidence SET original = 1, held_until_us = :until_us WHERE sha256 = :sha256

-- name: originals_held
SELECT coalesce(sum(bytes), 0) FROM evidence WHERE held_until_us > :now_us

-- name: originals_over
-- Nobody has ordered it, nobody holds it, and its incident has been told.
SELECT sha256 FROM evidence
WHERE original = 1 AND ready = 1 AND captured_at_us < :before_us AND held_until_us <= :now_us AND wanted_until_us <= :now_us
ORDER BY captured_at_us LIMIT :limit

-- name: originals_kept
SELECT count(*), coalesce(sum(bytes), 0), min(captured_at_us) FROM evidence
WHERE original = 1 AND ready = 1 AND wanted_until_us <= :now_us

-- name: evidence_remove
DELETE FROM evidence WHERE sha256 = :sha256

-- name: ongoing_set
INSERT INTO ongoing (incident_id, body, timebase) VALUES (:incident_id, :body, :timebase)
ON CONFLICT (incident_id) DO UPDATE SET body = excluded.body, timebase = excluded.timebase

-- name: ongoing_remove
DELETE FROM ongoing WHERE incident_id = :incident_id

-- name: ongoing_all
SELECT body, timebase FROM ongoing ORDER BY incident_id

-- name: dead_letter_add
INSERT INTO dead_letter (subject, channel, reason, at_us, body, timebase)
VALUES (:subject, :channel, :reason, :at_us, :body, :timebase)

-- name: dead_letter_trim
-- Rejected incidents stay until somebody has seen to them.
DELETE FROM dead_letter WHERE channel <> 'up/incident' AND row <= (
    SELECT row FROM dead_letter WHERE channel <> 'up/incident' ORDER BY row DESC LIMIT 1 OFFSET :keep)

-- name: dead_letter_newest
SELECT subject, channel, reason, at_us, body FROM dead_letter ORDER BY row DESC LIMIT :limit

-- name: counter_add
INSERT INTO counter (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value

-- name: counter_all
SELECT name, value FROM counter

-- name: fact_set
INSERT INTO fact (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: fact_get
SELECT value FROM fact WHERE name = :name

-- name: formable_fresh
SELECT EXISTS (SELECT 1 FROM gap) OR EXISTS (
    SELECT 1 FROM reading WHERE replayed = 0 AND accepted_at_us >= :fresh_us)

-- name: formable_old
SELECT EXISTS (SELECT 1 FROM gap) OR EXISTS (
    SELECT 1 FROM reading WHERE replayed = 0 AND accepted_at_us < :fresh_us)

-- name: formable_replayed
SELECT EXISTS (SELECT 1 FROM reading WHERE replayed = 1)

-- name: record_old_newest_first
SELECT row, message_id, channel, lane, accepted_at_us, replayed, body, timebase FROM record
WHERE lane = :lane AND accepted_at_us < :fresh_us AND row NOT IN (SELECT value FROM json_each(:skip))
ORDER BY accepted_at_us DESC, row DESC LIMIT :limit

-- name: fact_between
SELECT name, value FROM fact WHERE name >= :first AND name < :beyond

-- name: dead_letter_reasons
-- The words before the first colon are the reason, what follows is this one message's story.
SELECT channel,
    CASE WHEN instr(reason, ':') > 0 THEN substr(reason, 1, instr(reason, ':') - 1) ELSE reason END AS short,
    count(*), min(at_us), max(at_us)
FROM dead_letter GROUP BY channel, short ORDER BY max(at_us) DESC

-- name: evidence_waiting
-- An original that nobody has ordered waits for nothing.
SELECT count(*), coalesce(sum(bytes), 0), min(captured_at_us) FROM evidence
WHERE original = 0 OR ready = 0 OR wanted_until_us > :now_us

-- name: record_oldest_of_lanes
SELECT * FROM (
    SELECT accepted_at_us, timebase FROM record WHERE lane = 'incident' ORDER BY accepted_at_us, row LIMIT 1)
UNION ALL SELECT * FROM (
    SELECT accepted_at_us, timebase FROM record WHERE lane = 'live' ORDER BY accepted_at_us, row LIMIT 1)
UNION ALL SELECT * FROM (
    SELECT accepted_at_us, timebase FROM record WHERE lane = 'history' ORDER BY accepted_at_us, row LIMIT 1)

-- name: record_oldest
-- Asked after each commit: three looks into the index, however many wait.
SELECT min(at_us) FROM (
    SELECT min(accepted_at_us) AS at_us FROM record WHERE lane = 'incident'
    UNION ALL SELECT min(accepted_at_us) FROM record WHERE lane = 'live'
    UNION ALL SELECT min(accepted_at_us) FROM record WHERE lane = 'history')

-- name: counter_of
SELECT value FROM counter WHERE name = :name

-- name: fact_from
SELECT name, value FROM fact WHERE name >= :first AND name < :last ORDER BY name

-- name: fact_remove
DELETE FROM fact WHERE name = :name

-- name: readings_kept
SELECT (SELECT count(*) FROM reading) + (SELECT coalesce(sum(readings), 0) FROM record)

-- name: incidents_kept
SELECT count(*) FROM record WHERE channel = 'up/incident'

-- name: incident_bodies
SELECT message_id, body FROM record WHERE channel = 'up/incident' ORDER BY row

-- name: accepted_last
SELECT accepted_at_us FROM (
    SELECT * FROM (SELECT accepted_at_us FROM reading ORDER BY row DESC LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT accepted_at_us FROM record ORDER BY row DESC LIMIT 1)
) ORDER BY accepted_at_us DESC LIMIT 1

-- name: reading_age
UPDATE reading SET accepted_at_us = accepted_at_us - :by_us

-- name: record_age
UPDATE record SET accepted_at_us = accepted_at_us - :by_us

-- name: evidence_wake
UPDATE evidence SET next_at_us = 0 WHERE next_at_us > :final_us

-- name: reading_senseless_remove
-- What no node writes: a device without a name, an impossible time, a mark that is neither yes nor no. One such row would hold up all the others.
-- What was aged may have been accepted before 1970, down to the year 1.
DELETE FROM reading
WHERE typeof(accepted_at_us) <> 'integer' OR accepted_at_us NOT BETWEEN -62135596800000000 AND 253402214400000000
    OR typeof(observed_at_us) <> 'integer' OR observed_at_us NOT BETWEEN 0 AND 253402214400000000
    OR replayed NOT IN (0, 1) OR typeof(flag) <> 'integer'
    OR series NOT IN (SELECT id FROM series) OR typeof(value) NOT IN ('integer', 'real', 'text') OR (typeof(value) <> 'text' AND abs(value) > 1e100)

-- name: record_senseless_remove
DELETE FROM record
WHERE typeof(accepted_at_us) <> 'integer' OR accepted_at_us NOT BETWEEN -62135596800000000 AND 253402214400000000
    OR typeof(message_id) <> 'blob' OR length(message_id) <> 16 OR typeof(readings) <> 'integer'
    OR lane NOT IN ('incident', 'live', 'history') OR channel NOT IN ('up/incident', 'up/telemetry', 'up/gap')

-- name: letters
SELECT row, subject, channel, reason, at_us, length(body) FROM dead_letter ORDER BY row DESC LIMIT :limit

-- name: letter
SELECT channel, body, timebase FROM dead_letter WHERE row = :number

-- name: letter_remove
DELETE FROM dead_letter WHERE row = :number
