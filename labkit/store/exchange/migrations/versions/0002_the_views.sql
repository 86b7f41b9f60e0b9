-- Views for people, in the schema `labkit`: what is current, under the names and columns of a lab's own views.
-- Of several rows of one thing a finished answer comes first, then the greatest stamp; of what is written once,
-- the least. Rows whose line could not be read are in the tables alone.

create schema if not exists labkit;

create view labkit.generations as
select
    t.generation_id, t.run_id, t.experiment, t.workspace, t.prompt, t.prompt_version, t.model, t.provider,
    t.sample_id, t."repeat", t.status, t."text", t.stop_reason, t.error_type, t.error_message,
    t.started_at, t.queue_s, t.first_event_s, t.ttft_s, t.latency_s, t.retry_s, t.attempts, t.in_flight,
    t.input_tokens, t.cache_read_tokens, t.cache_write_tokens, t.output_tokens, t.reasoning_tokens,
    t.cost_usd, t.price_id, t.maybe_paid, t.replayed_from, t.response_model, t.response_id, t.request_id,
    labkit_log.json_of(t.body) ->> 'raw' as raw, t."draw", t.parent_id, t."step", t."user", t.step_name,
    t.steps, t.failed_step, t.call_id
from labkit_log.generations t
where
    t.generation_id is not null
    and coalesce(t."step", 0) = 0
    and not exists (select from labkit_log.runs r where r.run_id = t.run_id and r.kind = 'judge')
    and not exists (
        select from labkit_log.generations o
        where o.generation_id = t.generation_id
            and (coalesce(o.status = 'done', false), o.stamp, o.process)
                > (coalesce(t.status = 'done', false), t.stamp, t.process)
    );
comment on view labkit.generations is
    'One row per answer, of a prompt or of a whole chain, as it now stands.';

create view labkit.steps as
select
    t.generation_id, t.run_id, t.experiment, t.workspace, t.prompt, t.prompt_version, t.model, t.provider,
    t.sample_id, t."repeat", t.status, t."text", t.stop_reason, t.error_type, t.error_message,
    t.started_at, t.queue_s, t.first_event_s, t.ttft_s, t.latency_s, t.retry_s, t.attempts, t.in_flight,
    t.input_tokens, t.cache_read_tokens, t.cache_write_tokens, t.output_tokens, t.reasoning_tokens,
    t.cost_usd, t.price_id, t.maybe_paid, t.replayed_from, t.response_model, t.response_id, t.request_id,
    labkit_log.json_of(t.body) ->> 'raw' as raw, t."draw", t.parent_id, t."step", t."user", t.step_name,
    t.steps, t.failed_step, t.call_id
from labkit_log.generations t
where
    t.generation_id is not null
    and t.steps is null
    and not exists (
        select from labkit_log.generations o
        where o.generation_id = t.generation_id
            and (coalesce(o.status = 'done', false), o.stamp, o.process)
                > (coalesce(t.status = 'done', false), t.stamp, t.process)
    );
comment on view labkit.steps is 'One row per request: of a prompt, of a chain''s step, of a judge.';

create view labkit.judgements as
select
    t.generation_id, t.run_id,
    (select max(r.parent_run_id) from labkit_log.runs r where r.run_id = t.run_id) as parent_run_id,
    t.parent_id, t.prompt as judge, t.prompt_version, t.model, t.provider, t.sample_id, t.status,
    t."text", t.stop_reason, t.error_type, t.error_message, t.started_at, t.latency_s, t.attempts,
    t.input_tokens, t.output_tokens, t.cost_usd, t.price_id, t.maybe_paid, t.replayed_from, t.request_id,
    t."user"
from labkit_log.generations t
where
    t.generation_id is not null
    and exists (select from labkit_log.runs r where r.run_id = t.run_id and r.kind = 'judge')
    and not exists (
        select from labkit_log.generations o
        where o.generation_id = t.generation_id
            and (coalesce(o.status = 'done', false), o.stamp, o.process)
                > (coalesce(t.status = 'done', false), t.stamp, t.process)
    );
comment on view labkit.judgements is
    'What judges were asked and said. parent_id is the generation that is judged.';

create view labkit.attempts as
select
    t.run_id, t.generation_id, t.attempt, t.sent_at, t.latency_s, t.status_code, t.error_type,
    t.error_message, t.retry_after_s, t.wait_s, t.maybe_paid, t.provider_request_id, t.call_id
from labkit_log.attempts t
where
    t.call_id is null
    or not exists (
        select from labkit_log.attempts o
        where o.run_id = t.run_id and o.generation_id = t.generation_id and o.attempt = t.attempt
            and o.call_id = t.call_id and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.attempts is 'One row per HTTP request that was sent.';

-- Older lines have no call id: there an answer settles what the same process sent before it.
create view labkit.unsettled as
select i.run_id, i.generation_id, i.attempt, i.sent_at, i.reserved_usd, i.call_id
from labkit_log.intents i
where
    not exists (
        select from labkit_log.attempts a
        where a.generation_id = i.generation_id and a.attempt = i.attempt
            and a.call_id is not distinct from i.call_id
            and (i.call_id is not null or (a.process = i.process and a.stamp > i.stamp))
    )
    and not exists (
        select from labkit_log.generations g
        where g.generation_id = i.generation_id and g.call_id is not distinct from i.call_id
            and (i.call_id is not null or (g.process = i.process and g.stamp > i.stamp))
    );
comment on view labkit.unsettled is
    'Sent, and no end was told: it may have been paid for, or is in flight while its run goes on.';

create view labkit.scores as
select
    t.generation_id, t.scorer, t."value", t.scored_at, t.explanation, t.error, t.metadata, t."low",
    t."high", t."step"
from labkit_log.scores t
where
    t.generation_id is not null
    and not exists (
        select from labkit_log.scores o
        where o.generation_id = t.generation_id and o.scorer = t.scorer
            and (o.stamp, o.process) > (t.stamp, t.process)
    );
comment on view labkit.scores is 'The value that now holds for each generation and scorer.';

create view labkit.labels as
select
    t.label_id, t.generation_id, t.scorer, t.grade, t."value", t.labelled_at, t."user", t."draw",
    t.chance, t."comment"
from labkit_log.labels t
where
    t.generation_id is not null
    and not t.withdrawn
    and not exists (
        select from labkit_log.labels o
        where o.generation_id = t.generation_id and o.scorer = t.scorer
            and o."user" is not distinct from t."user"
            and (o.stamp, o.process) > (t.stamp, t.process)
    );
comment on view labkit.labels is 'What each person now says of an answer.';

create view labkit.ratings as
select
    t.rating_id, t.left_id, t.right_id, t.preferred, t.rated_at, t."user", t."comment", t.workspace,
    t.arena, t.drawn, t.chance, t.took_s, t.peeked, t.masked
from labkit_log.ratings t
where
    t.rating_id is not null
    and not coalesce(t.withdrawn, false)
    and not exists (
        select from labkit_log.ratings o
        where o.rating_id = t.rating_id
            and (o.stamp, o.process) > (t.stamp, t.process)
    );
comment on view labkit.ratings is 'People''s blind preferences between two generations, as they now hold.';

create view labkit.requests as
select
    t.request_id, t.provider, t.dialect, t.endpoint, t.model, t."name", t.messages, t.params
from labkit_log.requests t
where
    t.request_id is not null
    and not exists (
        select from labkit_log.requests o
        where o.request_id = t.request_id
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.requests is 'Each distinct list of messages that was sent.';

create view labkit.prompts as
select
    t."name", t.version, t.hash, t.system, t."text", t.blocks, t.defaults, t.description, t.created_at,
    t."user", t.steps
from labkit_log.prompts t
where
    t."name" is not null
    and not exists (
        select from labkit_log.prompts o
        where o."name" = t."name" and o.version = t.version
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.prompts is 'Each version of each prompt.';

create view labkit.blocks as
select
    t.hash, t."name", t."text", t.created_at
from labkit_log.blocks t
where
    t.hash is not null
    and not exists (
        select from labkit_log.blocks o
        where o.hash = t.hash
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.blocks is 'Named pieces of context, by their hash.';

create view labkit.samples as
select
    t.dataset, t.dataset_name, t."position", t.sample_id, t.fields
from labkit_log.samples t
where
    t.dataset is not null
    and not exists (
        select from labkit_log.samples o
        where o.dataset = t.dataset and o.sample_id = t.sample_id
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.samples is 'The rows of datasets.';

create view labkit.models as
select
    t.model, t.provider, t."name", t.dialect, t.endpoint, t.label, t.params, t.context_window,
    t.max_output, t.capabilities, t.prices, t.taken_at, t.run_id
from labkit_log.models t
where
    t.model is not null
    and not exists (
        select from labkit_log.models o
        where o.model = t.model
            and (o.stamp, o.process) > (t.stamp, t.process)
    );
comment on view labkit.models is 'Each model as it was when it was last used.';

create view labkit.notices as
select
    t.notice_id, t.sentinel, t.workspace, t.check_id, t.outcome, t.channel, t.error, t.sent_at
from labkit_log.notices t
where
    t.notice_id is not null
    and not exists (
        select from labkit_log.notices o
        where o.notice_id = t.notice_id
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.notices is 'What somebody was told of a sentinel.';

create view labkit.baselines as
select
    t.baseline_id, t.sentinel, t.workspace, t.baseline, t.run_ids, t.answers_each, t.content, t.forced,
    t.why, t.accepted_at, t."user",
    not exists (
        select from labkit_log.baselines o
        where o.workspace = t.workspace and o.sentinel = t.sentinel and o.baseline = t.baseline
            and o.baseline_id <> t.baseline_id and (o.stamp, o.process) > (t.stamp, t.process)
    ) as holds
from labkit_log.baselines t
where
    t.baseline_id is not null
    and not exists (
        select from labkit_log.baselines o
        where o.baseline_id = t.baseline_id
            and (o.stamp, o.process) < (t.stamp, t.process)
    );
comment on view labkit.baselines is
    'Accepted answers that later ones are held against; holds: the latest of its name.';

create view labkit.checks as
select
    t.check_id, t.sentinel, t.workspace,
    row_number() over (partition by t.workspace, t.sentinel order by first_stamp) as night, t.run_id,
    t.again_run_id, t.baseline_id, t.baseline, t.outcome, t.sentences, t.notes, t.findings, t.alarms,
    t.settings, t.asked_at, t.checked_at, t."user"
from labkit_log.checks t
join (
    select workspace, sentinel, run_id, min(stamp) as first_stamp from labkit_log.checks
    group by workspace, sentinel, run_id
) as of_run using (workspace, sentinel, run_id)
where
    not exists (
        select from labkit_log.checks o
        where o.workspace = t.workspace and o.sentinel = t.sentinel and o.run_id = t.run_id
            and (o.stamp, o.process) > (t.stamp, t.process)
    );
comment on view labkit.checks is
    'What sentinels found; night counts a sentinel''s runs in the order of their first check.';

create view labkit.runs as
with
    started as (
        select t.* from labkit_log.runs t
        where t.run_id is not null and not exists (
            select from labkit_log.runs o
            where o.run_id = t.run_id
                and (o.stamp, o.process) > (t.stamp, t.process)
        )
    ),
    told as (
        select distinct on (run_id) run_id, event, at_time from labkit_log.run_events
        order by run_id, stamp desc, process desc
    ),
    ranked as (
        select
            run_id, generation_id, status, cost_usd, maybe_paid, replayed_from is not null as replayed,
            coalesce(error_type = 'StepFailed', false) as behind_a_failure,
            cost_usd is null and (
                status = 'done' or (status = 'partial' and attempts > 0) or maybe_paid > 0
            ) as cost_unknown,
            row_number() over (
                partition by generation_id
                order by coalesce(status = 'done', false) desc, stamp desc, process desc
            ) = 1 as holds
        from labkit_log.generations t
        where
            steps is null and generation_id is not null
            and (
                call_id is null
                or not exists (
                    select from labkit_log.generations o
                    where o.generation_id = t.generation_id and o.call_id = t.call_id
                        and (coalesce(o.status = 'done', false), o.stamp, o.process)
                            > (coalesce(t.status = 'done', false), t.stamp, t.process)
                )
            )
    ),
    counted as (
        select
            run_id,
            count(*) filter (where holds and status = 'done') as done,
            count(*) filter (where holds and status = 'failed') as failed,
            count(*) filter (where holds and status = 'partial') as partial,
            count(*) filter (where holds and status = 'stopped') as stopped,
            count(*) filter (where holds and status = 'stopped' and not behind_a_failure) as unasked,
            count(*) filter (where holds and replayed) as replayed,
            sum(cost_usd) filter (where not replayed) as cost_usd,
            count(*) filter (where not replayed and cost_unknown) as cost_unknown,
            sum(maybe_paid) filter (where not replayed) as maybe_paid
        from ranked
        group by run_id
    ),
    tried as (select run_id, count(*) as tried from labkit.attempts where maybe_paid group by run_id),
    open as (
        select i.run_id, count(*) as unsettled
        from labkit_log.intents i
        where
            not exists (
                select from labkit_log.attempts a
                where a.generation_id = i.generation_id and a.attempt = i.attempt
                    and a.call_id is not distinct from i.call_id
                    and (i.call_id is not null or (a.process = i.process and a.stamp > i.stamp))
            )
            and not exists (
                select from labkit_log.generations g
                where g.generation_id = i.generation_id and g.call_id is not distinct from i.call_id
                    and (i.call_id is not null or (g.process = i.process and g.stamp > i.stamp))
            )
        group by i.run_id
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
    coalesce(cost_usd, case when coalesce(cost_unknown, 0) = 0 then 0 end) as cost_usd,
    coalesce(cost_unknown, 0) as cost_unknown,
    (greatest(coalesce(maybe_paid, 0), coalesce(tried, 0)) + coalesce(unsettled, 0))::bigint as maybe_paid,
    coalesce(unsettled, 0) as unsettled,
    started_at,
    case when event in ('finished', 'stopped', 'failed') then at_time end as ended_at,
    "user", dataset, provenance, coalesce(kind, 'plan') as kind, parent_run_id
from started
left join told using (run_id)
left join counted using (run_id)
left join tried using (run_id)
left join open using (run_id);
comment on view labkit.runs is
    'Every run with what became of it. Counts go by requests; money is that of all that was asked.';

create view labkit.chains as
select * from labkit.prompts where steps is not null;
comment on view labkit.chains is 'The prompts that have steps.';
