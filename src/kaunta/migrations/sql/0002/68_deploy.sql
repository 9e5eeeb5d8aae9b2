-- A watch over a deployment, like everybody who asks what happened lately across all bars, reads the newest rows of
-- tables that only grow. An index of ranges costs next to nothing to keep and leads straight to the end.

create index mpesa_callbacks_lately on mpesa_callbacks using brin (received_at);
create index mpesa_transactions_lately on mpesa_transactions using brin (created_at);
