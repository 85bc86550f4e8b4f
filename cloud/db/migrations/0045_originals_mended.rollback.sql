alter table sealed_order drop column promised_at;
