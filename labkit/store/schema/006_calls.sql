-- A call is one asking of a cell by one launch: its intents, its attempts and its answer have the same `call_id`,
-- a random number. By it an intent is settled, whoever writes how it ended; and what is written down twice, by two
-- that collected the same answer, is counted once. Older rows have none: theirs are settled by their process.
-- What is newest goes by `written_at`, which is no clock: it is later than all that its process had read.

alter table log.intents add column call_id bigint;
alter table log.attempts add column call_id bigint;
alter table log.generations add column call_id bigint;

create or replace view generations as
select
    generation_id, run_id, experiment, workspace, prompt, prompt_version, model, provider, sample_id,
    "repeat", status, "text", stop_reason, error_type, error_message, started_at, queue_s, first_event_s,
    ttft_s, latency_s, retry_s, attempts, in_flight, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_usd, price_id, maybe_paid, replayed_from, response_model,
    response_id, request_id, raw, draw, parent_id, step, "user", step_name, steps, failed_step, call_id
from log.generations
where coalesce(step, 0) = 0
    and run_id not in (select run_id from log.runs where kind = 'judge')
    and rowid in (
        select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
        from log.generations
        group by generation_id
    );

create or replace view steps as
select
    generation_id, run_id, experiment, workspace, prompt, prompt_version, model, provider, sample_id,
    "repeat", status, "text", stop_reason, error_type, error_message, started_at, queue_s, first_event_s,
    ttft_s, latency_s, retry_s, attempts, in_flight, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_usd, price_id, maybe_paid, replayed_from, response_model,
    response_id, request_id, raw, draw, parent_id, step, "user", step_name, steps, failed_step, call_id
from log.generations
where steps is null and rowid in (
    select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
    from log.generations
    group by generation_id
);

create or replace view attempts as
select
    run_id, generation_id, attempt, sent_at, latency_s, status_code, error_type, error_message,
    retry_after_s, wait_s, maybe_paid, provider_request_id, call_id
from log.attempts
qualify row_number() over (
    partition by run_id, generation_id, attempt, call_id, if(call_id is null, rowid, null) order by written_at
) = 1;

-- What was sent and of which nobody tells how it ended: it may have been paid for. While a run goes on, this is
-- what is in flight.
create or replace view unsettled as
select run_id, generation_id, attempt, sent_at, reserved_usd, call_id
from log.intents as i
where
    not exists (
        from log.attempts as a
        where a.generation_id = i.generation_id and a.attempt = i.attempt
            and a.call_id is not distinct from i.call_id
            and (
                i.call_id is not null
                or (a.written_by = i.written_by and a.written_at > i.written_at)
            )
    )
    and not exists (
        from log.generations as g
        where g.generation_id = i.generation_id
            and g.call_id is not distinct from i.call_id
            and (
                i.call_id is not null
                or (g.written_by = i.written_by and g.written_at > i.written_at)
            )
    );

create or replace view runs as
with
    started as (
        select *
        from log.runs
        where rowid in (select max_by(rowid, epoch_us(written_at)) from log.runs group by run_id)
    ),
    told as (
        select
            run_id,
            max_by(event, epoch_us(written_at)) as event,
            max_by(at_time, epoch_us(written_at)) as at_time
        from log.run_events
        group by run_id
    ),
    latest as (
        select
            any_value(run_id) as run_id,
            max_by(status, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at)) as status,
            max_by(
                replayed_from is not null,
                if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at)
            ) as replayed,
            sum(cost_usd) filter (where replayed_from is null) as cost_usd,
            count(*) filter (
                where cost_usd is null and replayed_from is null
                    and (status = 'done' or (status = 'partial' and attempts > 0) or maybe_paid > 0)
            ) as cost_unknown,
            sum(maybe_paid) filter (where replayed_from is null) as maybe_paid,
            max_by(
                coalesce(error_type = 'StepFailed', false),
                if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at)
            ) as behind_a_failure
        from log.generations
        where steps is null and (call_id is null or rowid in (
            select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
            from log.generations
            where call_id is not null
            group by generation_id, call_id
        ))
        group by generation_id
    ),
    counted as (
        select
            run_id,
            count(*) filter (where status = 'done') as done,
            count(*) filter (where status = 'failed') as failed,
            count(*) filter (where status = 'partial') as partial,
            count(*) filter (where status = 'stopped') as stopped,
            count(*) filter (where status = 'stopped' and not behind_a_failure) as unasked,
            count(*) filter (where replayed) as replayed,
            sum(cost_usd) as cost_usd,
            sum(cost_unknown)::bigint as cost_unknown,
            sum(maybe_paid)::bigint as maybe_paid
        from latest
        group by run_id
    ),
    -- An attempt's own row tells first that it may have been paid for: alone, where the process was killed
    -- before the generation ended.
    tried as (
        select run_id, count(*) as tried
        from (
            select distinct run_id, generation_id, attempt, call_id, if(call_id is null, rowid, null)
            from log.attempts
            where maybe_paid
        )
        group by run_id
    ),
    open as (
        select run_id, count(*) as unsettled
        from log.intents as i
        where
            not exists (
                from log.attempts as a
                where a.generation_id = i.generation_id and a.attempt = i.attempt
                    and a.call_id is not distinct from i.call_id
                    and (
                        i.call_id is not null
                        or (a.written_by = i.written_by and a.written_at > i.written_at)
                    )
            )
            and not exists (
                from log.generations as g
                where g.generation_id = i.generation_id
                    and g.call_id is not distinct from i.call_id
                    and (
                        i.call_id is not null
                        or (g.written_by = i.written_by and g.written_at > i.written_at)
                    )
            )
        group by run_id
    )
select
    run_id, plan_id, experiment, workspace, fresh,
    case
        when event = 'finished' and coalesce(unasked, 0) > 0 then 'stopped'
        when event in ('finished', 'stopped', 'failed') then event
        when done = cells then 'finished'
        else 'unfinished'
    end as status,
    cells,
    coalesce(done, 0) as done,
    coalesce(failed, 0) as failed,
    coalesce(partial, 0) as partial,
    coalesce(stopped, 0) as stopped,
    coalesce(replayed, 0) as replayed,
    coalesce(cost_usd, if(cost_unknown > 0, null, 0)) as cost_usd,
    coalesce(cost_unknown, 0) as cost_unknown,
    greatest(coalesce(maybe_paid, 0), coalesce(tried, 0)) + coalesce(unsettled, 0) as maybe_paid,
    coalesce(unsettled, 0) as unsettled,
    started_at,
    if(event in ('finished', 'stopped', 'failed'), at_time, null) as ended_at,
    "user", dataset, provenance, coalesce(kind, 'plan') as kind, parent_run_id
from started
left join told using (run_id)
left join counted using (run_id)
left join tried using (run_id)
left join open using (run_id);

-- Of several baselines or checks the latest holds, whichever came into this lab first.
create or replace view baselines as
select
    baseline_id, sentinel, workspace, baseline, run_ids, answers_each, content, forced, why, accepted_at, "user",
    baseline_id in (
        select max_by(baseline_id, epoch_us(written_at)) from log.baselines
        group by workspace, sentinel, baseline
    ) as holds
from log.baselines
where rowid in (select min_by(rowid, epoch_us(written_at)) from log.baselines group by baseline_id)
order by written_at, rowid;

create or replace view checks as
select
    check_id, sentinel, workspace, row_number() over (partition by workspace, sentinel order by first_at) as night,
    run_id, again_run_id, baseline_id, baseline, outcome, sentences, notes, findings, alarms, settings, asked_at,
    checked_at, "user"
from log.checks
join (
    select min(written_at) as first_at, max_by(rowid, epoch_us(written_at)) as latest
    from log.checks group by workspace, sentinel, run_id
) as of_run on log.checks.rowid = latest
order by first_at;

create or replace view notices as
select notice_id, sentinel, workspace, check_id, outcome, channel, error, sent_at
from log.notices
where rowid in (select min_by(rowid, epoch_us(written_at)) from log.notices group by notice_id)
order by written_at, rowid;

-- Two machines may have kept another text under the same number; all of them show the same of the two.
create or replace view prompts as
select "name", version, hash, system, "text", blocks, defaults, description, created_at, "user", steps
from log.prompts
where rowid in (select min_by(rowid, epoch_us(written_at)) from log.prompts group by "name", version);

-- Which lines of other machines were brought in, where the lab is shared.
create table log.received (
    sender varchar, workspace varchar, "after" bigint, upto bigint,
    written_at timestamp, written_by varchar
);
