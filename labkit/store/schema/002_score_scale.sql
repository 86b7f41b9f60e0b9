-- What a scorer declares of its values: the lowest, the highest, and the step between two. NULL where it
-- declares nothing, as in rows that were written before.

alter table log.scores add column low double;
alter table log.scores add column high double;
alter table log.scores add column step double;

create or replace view scores as
select generation_id, scorer, "value", scored_at, explanation, error, metadata, low, high, step
from log.scores
where rowid in (select max_by(rowid, epoch_us(written_at)) from log.scores group by generation_id, scorer);
