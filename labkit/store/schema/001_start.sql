-- The first schema. Tables are in the schema `log` and only ever grow: no primary key, no foreign key,
-- no index, no update. What is current is a view in the main schema. Times are UTC.
-- Each row also has `written_at`, when it was put, and `written_by`, the process that put it.

create schema if not exists log;

create table log.journals (journal varchar, process varchar, upto bigint, stamp bigint, folded_at timestamp);
create table log.damage (journal varchar, at_byte bigint, why varchar, kept_in varchar, found_at timestamp);

create table log.generations (
    generation_id varchar, run_id varchar, experiment varchar, workspace varchar, prompt varchar,
    prompt_version bigint, model varchar, provider varchar, sample_id varchar, "repeat" bigint,
    status varchar, "text" varchar, stop_reason varchar, error_type varchar, error_message varchar,
    started_at timestamp, queue_s double, first_event_s double, ttft_s double, latency_s double,
    retry_s double, attempts bigint, in_flight bigint, input_tokens bigint, cache_read_tokens bigint,
    cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint, cost_usd double,
    price_id varchar, maybe_paid bigint, replayed_from varchar, response_model varchar,
    response_id varchar, request_id varchar, raw varchar, draw bigint, parent_id varchar, step bigint,
    "user" varchar,
    written_at timestamp, written_by varchar
);
create table log.attempts (
    run_id varchar, generation_id varchar, attempt bigint, sent_at timestamp, latency_s double,
    status_code bigint, error_type varchar, error_message varchar, retry_after_s double, wait_s double,
    maybe_paid boolean, provider_request_id varchar,
    written_at timestamp, written_by varchar
);
create table log.intents (
    run_id varchar, generation_id varchar, attempt bigint, sent_at timestamp, reserved_usd double,
    written_at timestamp, written_by varchar
);
create table log.scores (
    generation_id varchar, scorer varchar, "value" double, scored_at timestamp, explanation varchar,
    error varchar, metadata json,
    written_at timestamp, written_by varchar
);
create table log.ratings (
    rating_id varchar, left_id varchar, right_id varchar, preferred varchar, rated_at timestamp,
    "user" varchar, "comment" varchar, workspace varchar,
    written_at timestamp, written_by varchar
);
create table log.runs (
    run_id varchar, plan_id varchar, experiment varchar, workspace varchar, fresh boolean, cells bigint,
    dataset varchar, started_at timestamp, "user" varchar, provenance json,
    written_at timestamp, written_by varchar
);
create table log.run_events (
    run_id varchar, event varchar, at_time timestamp, detail json,
    written_at timestamp, written_by varchar
);
create table log.requests (
    request_id varchar, provider varchar, dialect varchar, endpoint varchar, model varchar, "name" varchar,
    messages json, params json,
    written_at timestamp, written_by varchar
);
create table log.prompts (
    "name" varchar, version bigint, hash varchar, system varchar, "text" varchar, blocks json,
    defaults json, description varchar, created_at timestamp, "user" varchar,
    written_at timestamp, written_by varchar
);
create table log.blocks (
    hash varchar, "name" varchar, "text" varchar, created_at timestamp,
    written_at timestamp, written_by varchar
);
create table log.samples (
    dataset varchar, dataset_name varchar, "position" bigint, sample_id varchar, fields json,
    written_at timestamp, written_by varchar
);
create table log.models (
    model varchar, provider varchar, "name" varchar, dialect varchar, endpoint varchar, label varchar,
    params json, context_window bigint, max_output bigint, capabilities json, prices json,
    taken_at timestamp, run_id varchar,
    written_at timestamp, written_by varchar
);

-- Views name only tables, never each other, so that they can be made again in any order.

-- One row per generation: a finished answer before anything else, then the newest. `done` adds more to
-- the rank than any time does (2^60 µs is the year 38,500).
create view generations as
select
    generation_id, run_id, experiment, workspace, prompt, prompt_version, model, provider, sample_id,
    "repeat", status, "text", stop_reason, error_type, error_message, started_at, queue_s, first_event_s,
    ttft_s, latency_s, retry_s, attempts, in_flight, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_usd, price_id, maybe_paid, replayed_from, response_model,
    response_id, request_id, raw, draw, parent_id, step, "user"
from log.generations
where rowid in (
    select max_by(rowid, if(status = 'done', 1152921504606846976, 0) + epoch_us(written_at))
    from log.generations
    group by generation_id
);

create view attempts as
select
    run_id, generation_id, attempt, sent_at, latency_s, status_code, error_type, error_message,
    retry_after_s, wait_s, maybe_paid, provider_request_id
from log.attempts;

-- What was sent, by a process that then told neither how the attempt ended nor how the generation did:
-- it may have been paid for. While a run goes on, this is what is in flight.
create view unsettled as
select run_id, generation_id, attempt, sent_at, reserved_usd
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
    );

create view scores as
select generation_id, scorer, "value", scored_at, explanation, error, metadata
from log.scores
where rowid in (select max_by(rowid, epoch_us(written_at)) from log.scores group by generation_id, scorer);

create view ratings as
select rating_id, left_id, right_id, preferred, rated_at, "user", "comment", workspace
from log.ratings
where rowid in (select max_by(rowid, epoch_us(written_at)) from log.ratings group by rating_id);

-- Money is summed over every row, also those a later one took the place of: each was asked. A cost is
-- unknown where something was, or may have been, charged and no price could be put on it.
create view runs as
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
            sum(maybe_paid) filter (where replayed_from is null) as maybe_paid
        from log.generations
        group by generation_id
    ),
    counted as (
        select
            run_id,
            count(*) filter (where status = 'done') as done,
            count(*) filter (where status = 'failed') as failed,
            count(*) filter (where status = 'partial') as partial,
            count(*) filter (where status = 'stopped') as stopped,
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
        when event = 'finished' and coalesce(stopped, 0) > 0 then 'stopped'
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
    "user", dataset, provenance
from started
left join told using (run_id)
left join counted using (run_id)
left join tried using (run_id)
left join open using (run_id);

create view requests as
select request_id, provider, dialect, endpoint, model, "name", messages, params
from log.requests
where rowid in (select min(rowid) from log.requests group by request_id);

create view prompts as
select "name", version, hash, system, "text", blocks, defaults, description, created_at, "user"
from log.prompts
where rowid in (select min(rowid) from log.prompts group by "name", version);

create view blocks as
select hash, "name", "text", created_at
from log.blocks
where rowid in (select min(rowid) from log.blocks group by hash);

create view samples as
select dataset, dataset_name, "position", sample_id, fields
from log.samples
where rowid in (select min(rowid) from log.samples group by dataset, sample_id);

create view models as
select
    model, provider, "name", dialect, endpoint, label, params, context_window, max_output, capabilities,
    prices, taken_at, run_id
from log.models
where rowid in (select max_by(rowid, epoch_us(written_at)) from log.models group by model);
