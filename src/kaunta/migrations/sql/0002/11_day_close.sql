-- The day's close asks for a day of everything: what it asks by has an index.

create index mpesa_receipts_by_moment on mpesa_receipts (bar_id, (coalesce(transacted_at, created_at)));
create index tab_orders_confirmed on tab_orders (bar_id, confirmed_at) where status = 'confirmed';
create index tabs_closed on tabs (bar_id, closed_at) where status = 'closed';
create index mpesa_refunds_settled on mpesa_refunds (bar_id, settled_at) where settled_at is not null;
