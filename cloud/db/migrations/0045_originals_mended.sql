-- Copies of originals go only when their node has said anew that it has them; that one came by order is remembered on its own.
-- depends: 0037_sealed_orders 0039_issued_and_rated 0040_figures_of_whole_cases

alter table sealed_order add column promised_at timestamptz;
comment on column sealed_order.promised_at is 'When the node was asked that said first that it sends the file: what has come since came by order, and the node keeps its own.';
update sealed_order set promised_at = ordered_at where wish = 'upload' and answer = 'ordered';
