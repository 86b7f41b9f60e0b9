-- The tables of a lab that several machines share: one table for each kind of journal line, which only grows.
--
-- A line is named by the process that wrote it and its stamp. `body` is the line as it stands in the journal,
-- byte for byte, without its newline; all other columns are read from it, for people. `sender` and `seq` tell who
-- brought it, and as the how-manieth. Where a line's values do not fit, its columns are NULL and its body is
-- there. Bodies are not compressed: that would take the server longer than all else.

create table labkit_log.senders (
    number integer generated always as identity primary key, identity text not null unique,
    machine text not null, lab text not null, upto bigint not null default 0,
    backend integer, backend_start timestamptz,
    since timestamptz not null default now(), seen timestamptz not null default now()
);
comment on table labkit_log.senders is 'The labs that send lines: one row per lab file on a machine.';
comment on column labkit_log.senders.upto is 'The seq of the last line it sent.';
comment on column labkit_log.senders.backend is
    'The server process of its last connection, which began at backend_start.';
comment on column labkit_log.senders.since is 'When it first came.';
comment on column labkit_log.senders.seen is 'When it last sent.';

create table labkit_log.sent (
    sender integer not null references labkit_log.senders, journal text not null, upto bigint not null,
    primary key (sender, journal)
);
comment on table labkit_log.sent is 'How far each journal of a sender was sent.';
comment on column labkit_log.sent.upto is 'The byte up to which its lines are here.';

-- JSON may hold a NUL as \u0000, which no text here can: it is shown as the sign for it. In JSON each backslash
-- that is meant is doubled; written otherwise first, what follows one is no escape.
create function labkit_log.json_of(body bytea) returns json language sql immutable parallel safe as $$
    select case
        when position('\x5c7530303030'::bytea in body) = 0
        then convert_from(substring(body from position('\x7b'::bytea in body)), 'UTF8')
        else replace(
            replace(convert_from(substring(body from position('\x7b'::bytea in body)), 'UTF8'), '\\', '\u005c'),
            '\u0000', '␀'
        )
    end::json
$$;
comment on function labkit_log.json_of is 'The JSON of a whole line, with each NUL shown as its sign.';

create table labkit_log.generations (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    generation_id text, run_id text, experiment text, prompt text, prompt_version bigint, model text,
    provider text, sample_id text, "repeat" bigint, status text, "text" text, stop_reason text,
    error_type text, error_message text, started_at timestamptz, queue_s double precision,
    first_event_s double precision, ttft_s double precision, latency_s double precision,
    retry_s double precision, attempts bigint, in_flight bigint, input_tokens bigint,
    cache_read_tokens bigint, cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
    cost_usd double precision, price_id text, maybe_paid bigint, replayed_from text, response_model text,
    response_id text, request_id text, "draw" bigint, parent_id text, "step" bigint, "user" text,
    step_name text, steps bigint, failed_step text, call_id bigint, primary key (process, stamp)
);
alter table labkit_log.generations alter column body set storage external;
create index on labkit_log.generations (sender, seq);
create index on labkit_log.generations (generation_id);
create index on labkit_log.generations (run_id);
comment on table labkit_log.generations is
    'One row per cell answered or failed, each time it was written. What is current is labkit.generations.';
comment on column labkit_log.generations."repeat" is
    'The how-manieth time the same request is asked, from 0.';
comment on column labkit_log.generations.status is 'done, failed, partial or stopped.';
comment on column labkit_log.generations.started_at is 'When the last attempt was sent.';
comment on column labkit_log.generations.queue_s is 'Waiting for a slot, before the first attempt.';
comment on column labkit_log.generations.first_event_s is
    'Sent to the first event of any kind (last attempt).';
comment on column labkit_log.generations.ttft_s is 'Sent to the first visible text (last attempt).';
comment on column labkit_log.generations.latency_s is 'Sent to stream closed (last attempt).';
comment on column labkit_log.generations.retry_s is 'All earlier attempts and their backoff.';
comment on column labkit_log.generations.attempts is 'How many requests were sent for it.';
comment on column labkit_log.generations.in_flight is
    'Requests in flight at the endpoint when this one was sent, itself included.';
comment on column labkit_log.generations.price_id is
    'The price used, or ''unknown: why'' where cost_usd is NULL for want of one.';
comment on column labkit_log.generations.maybe_paid is
    'Attempts that may have been charged for without giving this answer.';
comment on column labkit_log.generations.replayed_from is
    'The stored answer that was taken in place of asking.';
comment on column labkit_log.generations."draw" is
    'The ordinal among the plan''s cells that share a request_id.';
comment on column labkit_log.generations.parent_id is
    'Of a step, the step before it; of a chain, its last step; of a verdict, what is judged.';
comment on column labkit_log.generations."step" is
    'Of a chain''s step, which it is, from 1; 0: an answer to a prompt, or of a whole chain.';
comment on column labkit_log.generations.steps is 'Of a chain, how many steps the row sums up.';
comment on column labkit_log.generations.failed_step is
    'Of a chain, the step that has no answer, or one that cannot be read.';
comment on column labkit_log.generations.call_id is
    'Which of its generation''s calls it belongs to; NULL in older lines.';

create table labkit_log.attempts (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    run_id text, generation_id text, attempt bigint, sent_at timestamptz, latency_s double precision,
    status_code bigint, error_type text, error_message text, retry_after_s double precision,
    wait_s double precision, maybe_paid boolean, provider_request_id text, call_id bigint,
    primary key (process, stamp)
);
alter table labkit_log.attempts alter column body set storage external;
create index on labkit_log.attempts (sender, seq);
comment on table labkit_log.attempts is 'One row per HTTP request that was sent for a generation.';
comment on column labkit_log.attempts.attempt is '1 for the first.';
comment on column labkit_log.attempts.retry_after_s is 'What the provider asked for.';
comment on column labkit_log.attempts.wait_s is
    'How long labkit then waited before the next attempt; NULL after the last.';
comment on column labkit_log.attempts.maybe_paid is 'Whether the provider may have charged for it.';
comment on column labkit_log.attempts.call_id is
    'Which of its generation''s calls it belongs to; NULL in older lines.';

create table labkit_log.intents (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    run_id text, generation_id text, attempt bigint, sent_at timestamptz, reserved_usd double precision,
    call_id bigint, primary key (process, stamp)
);
alter table labkit_log.intents alter column body set storage external;
create index on labkit_log.intents (sender, seq);
comment on table labkit_log.intents is
    'One row per HTTP request, written before it was sent: after a kill it tells what may have been paid for.';
comment on column labkit_log.intents.reserved_usd is
    'The worst case that the budget holds for it; NULL where the price is not known.';
comment on column labkit_log.intents.call_id is
    'Which of its generation''s calls it belongs to; NULL in older lines.';

create table labkit_log.scores (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    generation_id text, scorer text, "value" double precision, scored_at timestamptz, explanation text,
    error text, metadata json, "low" double precision, "high" double precision, "step" double precision,
    primary key (process, stamp)
);
alter table labkit_log.scores alter column body set storage external;
create index on labkit_log.scores (sender, seq);
create index on labkit_log.scores (generation_id);
comment on table labkit_log.scores is
    'Values for generations. A NULL value means: not scored, which is not 0.';
comment on column labkit_log.scores."low" is 'The lowest value the scorer can give, as declared.';
comment on column labkit_log.scores."high" is 'The highest value the scorer can give, as declared.';
comment on column labkit_log.scores."step" is 'Between two neighbouring values, as declared.';

create table labkit_log.labels (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    label_id text, generation_id text, scorer text, grade text, "value" double precision,
    labelled_at timestamptz, "user" text, "draw" text, chance double precision, "comment" text,
    withdrawn boolean, primary key (process, stamp)
);
alter table labkit_log.labels alter column body set storage external;
create index on labkit_log.labels (sender, seq);
comment on table labkit_log.labels is
    'What people say of an answer, in place of a judge. The latest of one person on one answer holds.';
comment on column labkit_log.labels.scorer is 'The score that it is a value of.';
comment on column labkit_log.labels."value" is 'NULL: the person cannot tell.';
comment on column labkit_log.labels."draw" is
    'The seed by which labkit drew the sample; NULL: its row was chosen by hand.';
comment on column labkit_log.labels.chance is 'With which it was drawn.';
comment on column labkit_log.labels.withdrawn is 'Whether it takes back what was said before.';

create table labkit_log.ratings (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    rating_id text, left_id text, right_id text, preferred text, rated_at timestamptz, "user" text,
    "comment" text, arena text, drawn text, chance double precision, took_s double precision,
    peeked boolean, masked bigint, withdrawn boolean, primary key (process, stamp)
);
alter table labkit_log.ratings alter column body set storage external;
create index on labkit_log.ratings (sender, seq);
comment on table labkit_log.ratings is
    'People''s blind preferences between two generations. The latest row of a rating holds.';
comment on column labkit_log.ratings.preferred is 'left, right, tie, neither or skip.';
comment on column labkit_log.ratings.arena is 'What was rated together.';
comment on column labkit_log.ratings.drawn is 'rule, again or turned: by what the pair was drawn.';
comment on column labkit_log.ratings.chance is 'With which it was drawn.';
comment on column labkit_log.ratings.took_s is 'From when it was shown.';
comment on column labkit_log.ratings.peeked is 'Whether the rater had seen the standing.';
comment on column labkit_log.ratings.masked is 'How many names were masked in the two answers.';
comment on column labkit_log.ratings.withdrawn is 'Whether it takes back what was said before.';

create table labkit_log.runs (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    run_id text, plan_id text, experiment text, fresh boolean, cells bigint, dataset text,
    started_at timestamptz, "user" text, provenance json, kind text, parent_run_id text,
    primary key (process, stamp)
);
alter table labkit_log.runs alter column body set storage external;
create index on labkit_log.runs (sender, seq);
create index on labkit_log.runs (run_id);
comment on table labkit_log.runs is
    'One row per launch of a plan, written when it starts. What became of it is in labkit.runs.';
comment on column labkit_log.runs.plan_id is 'A hash of the plan''s cells, experiment and workspace.';
comment on column labkit_log.runs.cells is 'How many answers its plan has.';
comment on column labkit_log.runs.dataset is 'The hash of the dataset its samples are kept under.';
comment on column labkit_log.runs.provenance is 'Versions, git commit, notebook, host, prices, seed.';
comment on column labkit_log.runs.kind is
    'plan, judge (it asks verdicts on another run''s answers) or reask (the same as another run, again).';
comment on column labkit_log.runs.parent_run_id is 'Of a judge or reask, the other run.';

create table labkit_log.run_events (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    run_id text, event text, at_time timestamptz, detail json, primary key (process, stamp)
);
alter table labkit_log.run_events alter column body set storage external;
create index on labkit_log.run_events (sender, seq);
create index on labkit_log.run_events (run_id);
comment on table labkit_log.run_events is
    'What happened to runs: started, resumed, unfounded, stopped, finished, failed.';

create table labkit_log.requests (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    request_id text, provider text, dialect text, endpoint text, model text, "name" text, messages json,
    params json, primary key (process, stamp)
);
alter table labkit_log.requests alter column body set storage external;
create index on labkit_log.requests (sender, seq);
create index on labkit_log.requests (request_id);
comment on table labkit_log.requests is 'Each distinct list of messages that was sent, with its parameters.';
comment on column labkit_log.requests.endpoint is 'The endpoint''s identity.';
comment on column labkit_log.requests.messages is 'What was sent.';

create table labkit_log.prompts (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    "name" text, version bigint, hash text, system text, "text" text, blocks json, defaults json,
    description text, created_at timestamptz, "user" text, steps json, primary key (process, stamp)
);
alter table labkit_log.prompts alter column body set storage external;
create index on labkit_log.prompts (sender, seq);
comment on table labkit_log.prompts is 'Versions of prompts.';
comment on column labkit_log.prompts.version is 'Counts the distinct hashes kept under a name, from 1.';
comment on column labkit_log.prompts.blocks is
    'Name and hash of each block in front, in order; their texts are in blocks.';
comment on column labkit_log.prompts.defaults is 'Values of variables that a sample need not have.';
comment on column labkit_log.prompts.steps is 'Of a chain, its steps in order; NULL: the prompt is no chain.';

create table labkit_log.blocks (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    hash text, "name" text, "text" text, created_at timestamptz, primary key (process, stamp)
);
alter table labkit_log.blocks alter column body set storage external;
create index on labkit_log.blocks (sender, seq);
comment on table labkit_log.blocks is 'Named pieces of context, found by their hash.';

create table labkit_log.samples (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    dataset text, dataset_name text, "position" bigint, sample_id text, fields json,
    primary key (process, stamp)
);
alter table labkit_log.samples alter column body set storage external;
create index on labkit_log.samples (sender, seq);
create index on labkit_log.samples (dataset);
comment on table labkit_log.samples is 'Rows of datasets.';
comment on column labkit_log.samples.dataset is 'The dataset''s hash.';
comment on column labkit_log.samples."position" is 'The row''s place in its dataset.';

create table labkit_log.models (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    model text, provider text, "name" text, dialect text, endpoint text, label text, params json,
    context_window bigint, max_output bigint, capabilities json, prices json, taken_at timestamptz,
    run_id text, primary key (process, stamp)
);
alter table labkit_log.models alter column body set storage external;
create index on labkit_log.models (sender, seq);
comment on table labkit_log.models is
    'Models as they were when a run used them: endpoint, limits and prices at that moment.';
comment on column labkit_log.models.prices is 'USD per million tokens, the price''s id and its date.';

create table labkit_log.baselines (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    baseline_id text, sentinel text, baseline text, run_ids json, answers_each bigint, content json,
    forced boolean, why text, accepted_at timestamptz, "user" text, primary key (process, stamp)
);
alter table labkit_log.baselines alter column body set storage external;
create index on labkit_log.baselines (sender, seq);
comment on table labkit_log.baselines is
    'Answers that somebody accepted as what a sentinel holds later ones against.';
comment on column labkit_log.baselines.answers_each is
    'The fewest answers that a row has on a prompt and model.';
comment on column labkit_log.baselines.forced is
    'Whether it was accepted although its runs were not fresh, not finished or too few.';

create table labkit_log.checks (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    check_id text, sentinel text, run_id text, again_run_id text, baseline_id text, baseline text,
    outcome text, sentences json, notes json, findings json, alarms json, settings json,
    asked_at timestamptz, checked_at timestamptz, "user" text, primary key (process, stamp)
);
alter table labkit_log.checks alter column body set storage external;
create index on labkit_log.checks (sender, seq);
comment on table labkit_log.checks is
    'What sentinels found when they checked a run. The latest of a run holds.';
comment on column labkit_log.checks.again_run_id is 'The run in which the same rows were asked once more.';
comment on column labkit_log.checks.outcome is 'worse, not shown to be worse, or cannot tell.';

create table labkit_log.notices (
    process text collate "C" not null, stamp bigint not null, sender integer not null, seq bigint not null,
    workspace text, body bytea not null,
    notice_id text, sentinel text, check_id text, outcome text, channel text, error text,
    sent_at timestamptz, primary key (process, stamp)
);
alter table labkit_log.notices alter column body set storage external;
create index on labkit_log.notices (sender, seq);
comment on table labkit_log.notices is 'What somebody was told of a sentinel.';
comment on column labkit_log.notices.error is 'Why it was not taken; NULL: it was.';
