-- Judges: what a judge is asked stands in a run of its own, of the kind `judge`, whose parent is the run that it
-- judges. Its rows are no answers: they are in `judgements`, and in `steps`, which has one row per request.
-- Older runs have no kind: they are plans. Labels are what people say of answers; the latest of one person on
-- one answer holds, unless it is withdrawn. Ratings tell how their pair was drawn.

create table log.labels (
    label_id varchar, generation_id varchar, scorer varchar, grade varchar, "value" double,
    labelled_at timestamp, "user" varchar, draw varchar, chance double, "comment" varchar, withdrawn boolean,
    written_at timestamp, written_by varchar
);
create view labels as
select label_id, generation_id, scorer, grade, "value", labelled_at, "user", draw, chance, "comment"
from log.labels
where not withdrawn and rowid in (
    select max_by(rowid, epoch_us(written_at)) from log.labels group by generation_id, scorer, "user"
);

alter table log.runs add column kind varchar;
alter table log.runs add column parent_run_id varchar;

alter table log.ratings add column arena varchar;
alter table log.ratings add column drawn varchar;
alter table log.ratings add column chance double;
alter table log.ratings add column took_s double;
alter table log.ratings add column peeked boolean;
alter table log.ratings add column masked bigint;
alter table log.ratings add column withdrawn boolean;

create or replace view ratings as
select
    rating_id, left_id, right_id, preferred, rated_at, "user", "comment", workspace, arena, drawn, chance,
    took_s, peeked, masked
from log.ratings
where not coalesce(withdrawn, false)
    and rowid in (select max_by(rowid, epoch_us(written_at)) from log.ratings group by rating_id);

create or replace view generations as
select
    generation_id, run_id, experiment, workspace, prompt, prompt_version, model, provider, sample_id,
    "repeat", status, "text", stop_reason, error_type, error_message, started_at, queue_s, first_event_s,
    ttft_s, latency_s, retry_s, attempts, in_flight, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_usd, price_id, maybe_paid, replayed_from, response_model,
    response_id, request_id, raw, draw, parent_id, step, "user", step_name, steps, failed_step
from log.generations
where coalesce(step, 0) = 0
    and run_id not in (select run_id from log.runs where kind = 'judge')
    and rowid in (
        select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
        from log.generations
        group by generation_id
    );

-- `parent_id` is the generation that is judged; where two are compared, that which is shown first.
create view judgements as
select
    g.generation_id, g.run_id, j.parent_run_id, g.parent_id, g.prompt as judge, g.prompt_version, g.model,
    g.provider, g.sample_id, g.status, g."text", g.stop_reason, g.error_type, g.error_message, g.started_at,
    g.latency_s, g.attempts, g.input_tokens, g.output_tokens, g.cost_usd, g.price_id, g.maybe_paid,
    g.replayed_from, g.request_id, g."user"
from log.generations as g
join (
    select run_id, any_value(parent_run_id) as parent_run_id
    from log.runs where kind = 'judge' group by run_id
) as j using (run_id)
where g.rowid in (
    select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
    from log.generations
    group by generation_id
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
        where steps is null
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
    tried as (select run_id, count(*) as tried from log.attempts where maybe_paid group by run_id),
    open as (
        select run_id, count(*) as unsettled
        from log.intents as i
        where
            not exists (
                from log.attempts as a
                where a.generation_id = i.generation_id and a.attempt = i.attempt
                    and a.written_by = i.written_by and a.written_at > i.written_at
            )
            and not exists (
                from log.generations as g
                where g.generation_id = i.generation_id
                    and g.written_by = i.written_by and g.written_at > i.written_at
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
