-- What the counter's settings write: a dish that is off the menu stays, as orders name it.

alter table menu_items
    add column retired_at timestamptz;

alter table bars
    -- The most of one M-Pesa payment here, shillings; null: as the installation has it, which stands above it anyway.
    add column mpesa_most integer check (mpesa_most between 1 and 500000);
