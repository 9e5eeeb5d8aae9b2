-- Problems of a bar that are over, newest first: what came and went is read as often as what is open.
create index problems_closed_of_bar on problems (bar_id, closed_at desc) where closed_at is not null;
-- A payment's support bundle tells the problems it had.
create index problems_of_subject on problems (subject, opened_at);
