-- The callbacks of a payment that wait for their turn. The same condition as the index of all that wait let PostgreSQL
-- take that one instead, whenever it planned while nothing waited: then each callback of a crowd was looked for among
-- all the others. Written so, only a statement that names a payment's token can use it.
create index mpesa_callbacks_turns on mpesa_callbacks (token_hash, id)
    where token_hash is not null and coalesce(processed_at, 'infinity') = 'infinity';
drop index mpesa_callbacks_in_turn;
