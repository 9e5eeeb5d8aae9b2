-- Automatic stops, and test payments.

alter table bars
    -- Results before this moment count no more towards a stop: somebody has seen to their cause, or it has ended.
    add column mpesa_faults_since timestamptz;

create index bars_suspended on bars (mpesa_suspended_until) where mpesa_suspended_until is not null;

-- What the worker asks every two seconds: did anything fail just now?
create index mpesa_transactions_failed on mpesa_transactions (settled_at) where status = 'failed';

-- Tabs of test payments are tidied away when these have ended.
create index tabs_of_tests on tabs (opened_at) where status <> 'closed' and opened_by like 'test:%';
