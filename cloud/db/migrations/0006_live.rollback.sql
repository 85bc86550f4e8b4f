drop function event_settled(bigint);
drop function emit_event_at(text, text, jsonb);
drop table event;
drop sequence event_id_seq;
