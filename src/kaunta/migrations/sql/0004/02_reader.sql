-- What opens a tab is nobody's report: a guest's reference does, the code of a table begins one, and an address of a webhook
-- may hold its owner's token. (A payment's id is in every report, and opens that payment's state.) Of these tables the reader has every column but those, by name; `select *` is
-- refused.

do $$
begin
    if (select count(*) from pg_roles where rolname in ('kaunta_app', 'kaunta_worker', 'kaunta_reader')) < 3 then
        return;
    end if;
    revoke select on tabs, table_codes, webhook_endpoints, mpesa_transactions from kaunta_reader;
    grant select (id, bar_id, table_code_id, tab_number, status, opened_at, opened_by, moved_to_overdue_at, closed_at,
                  closed_by)
        on tabs to kaunta_reader;
    grant select (id, bar_id, label, active, created_at, rotated_at) on table_codes to kaunta_reader;
    grant select (id, bar_id, added_by, created_at, removed_at, failures, heard_at, rests_until)
        on webhook_endpoints to kaunta_reader;
    grant select (id, bar_id, tab_id, credential_id, credential_version, environment, business_shortcode, reference,
                  amount, currency, amount_received, status, irregularities, failure_reason, result_code, result_desc,
                  receipt, transaction_date, merchant_request_id, checkout_request_id_enc, checkout_request_id_hash,
                  phone_enc, phone_hash, retry_of, started_by, created_at, push_started_at, sent_at, settled_at,
                  updated_at, callback_success_at, query_success_at, unproven_code, checks, next_check_at, nudged_at)
        on mpesa_transactions to kaunta_reader;
end $$;
