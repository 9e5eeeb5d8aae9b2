-- The inbox in turn: a payment's callbacks are understood in the order in which they came, so each asks who is first.

create index mpesa_callbacks_in_turn on mpesa_callbacks (token_hash, id)
    where processed_at is null and token_hash is not null;
