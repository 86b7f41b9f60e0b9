-- Sentinels: the accepted answers that a scheduled run is held against, what each check of a run found, and who
-- was told. A sentinel is its name in a workspace. Nothing is ever taken back: of several baselines of one name
-- the latest holds, and of several checks of one run the latest.

create table log.baselines (
    baseline_id varchar, sentinel varchar, workspace varchar, baseline varchar, run_ids json, answers_each bigint,
    content json, forced boolean, why varchar, accepted_at timestamp, "user" varchar,
    written_at timestamp, written_by varchar
);
create view baselines as
select
    baseline_id, sentinel, workspace, baseline, run_ids, answers_each, content, forced, why, accepted_at, "user",
    rowid in (select max(rowid) from log.baselines group by workspace, sentinel, baseline) as holds
from log.baselines
where rowid in (select min(rowid) from log.baselines group by baseline_id)
order by rowid;

-- `night` counts a sentinel's runs in the order of their first check: clocks may be set back.
create table log.checks (
    check_id varchar, sentinel varchar, workspace varchar, run_id varchar, again_run_id varchar,
    baseline_id varchar, baseline varchar, outcome varchar, sentences json, notes json, findings json,
    alarms json, settings json, asked_at timestamp, checked_at timestamp, "user" varchar,
    written_at timestamp, written_by varchar
);
create view checks as
select
    check_id, sentinel, workspace, row_number() over (partition by workspace, sentinel order by first_row) as night,
    run_id, again_run_id, baseline_id, baseline, outcome, sentences, notes, findings, alarms, settings, asked_at,
    checked_at, "user"
from log.checks
join (
    select min(rowid) as first_row, max(rowid) as latest from log.checks group by workspace, sentinel, run_id
) as of_run on log.checks.rowid = latest
order by first_row;

-- A notice that was not taken (`error`) is sent again at the next check.
create table log.notices (
    notice_id varchar, sentinel varchar, workspace varchar, check_id varchar, outcome varchar, channel varchar,
    error varchar, sent_at timestamp,
    written_at timestamp, written_by varchar
);
create view notices as
select notice_id, sentinel, workspace, check_id, outcome, channel, error, sent_at
from log.notices
where rowid in (select min(rowid) from log.notices group by notice_id)
order by rowid;
