-- SPDX-License-Identifier: Apache-2.0
--
-- A submit writes three pages instead of five: jobs are numbered without AUTOINCREMENT, whose table is a page of its own,
-- and without the index of the oldest wait, which the heads of `jobs_queued` tell too. SQLite cannot take AUTOINCREMENT
-- from a table, so the table is made anew; its columns and constraints are those of 0001 and 0002, in one place.

-- The highest number that prune has taken out of `jobs`: a number is given out once, since it is in users' hands.
CREATE TABLE job_numbers (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    last_pruned INTEGER NOT NULL CHECK (last_pruned >= 0)
) STRICT;

INSERT INTO job_numbers (id, last_pruned)
SELECT 1, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'jobs'), 0);

DROP VIEW detections;
DROP VIEW jobs_view;

CREATE TABLE new_jobs (
    id            INTEGER PRIMARY KEY,                          -- by submit: beyond every stored job's and every pruned one's
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    model_id      INTEGER NOT NULL REFERENCES models (id),
    batch_id      INTEGER REFERENCES batches (id),
    parameters_id INTEGER NOT NULL REFERENCES parameters (id),
    source        TEXT    NOT NULL CHECK (source <> ''),        -- what to run on; the queue does not look inside
    meta          TEXT    CHECK (meta IS NULL OR json_valid(meta)),             -- the submitter's own JSON, handed through to the result
    priority      INTEGER NOT NULL DEFAULT 0,                   -- higher runs first
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),   -- by submit
    run_at_us     INTEGER NOT NULL CHECK (run_at_us > 0),       -- not before; by submit and by a retry
    max_attempts  INTEGER NOT NULL DEFAULT 3 CHECK (max_attempts BETWEEN 1 AND 1000),
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- raised by claim, given back by release
    crashes       INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),  -- processes that died over this job
    claim_token   INTEGER,                                      -- by claim, new each time; every later write names it
    worker_id     TEXT,                                         -- by claim; stays as the record of who ran it last
    started_at_us INTEGER,                                      -- by claim: start of the last attempt
    finished_at_us INTEGER,                                     -- by whoever ends the job
    error_kind    TEXT,                                         -- by whoever fails it
    error_message TEXT,
    error_retryable INTEGER CHECK (error_retryable IN (0, 1)),  -- whether running it again could help
    key           TEXT    CHECK (key <> ''),                    -- idempotency, by submit: one stored job has it at most
    latest_key    TEXT    CHECK (latest_key <> ''),             -- freshness, by submit: a new job cancels the waiting ones
    superseded_by INTEGER,                                      -- the newer job of that key, by the submit that cancelled this
    expires_at_us INTEGER,                                      -- by submit: not to be started from then on
    time_limit_us INTEGER CHECK (time_limit_us > 0),            -- by submit: how long one attempt may take
    -- The wait before the second attempt, doubled before each further one, and its bound: by submit.
    backoff_us    INTEGER NOT NULL DEFAULT 2000000 CHECK (backoff_us >= 0),
    backoff_limit_us INTEGER NOT NULL DEFAULT 600000000 CHECK (backoff_limit_us >= 0),
    -- What the source was when it was submitted, so that a changed file is noticed: by submit.
    source_byte_count INTEGER CHECK (source_byte_count >= 0),
    source_modified_at_us INTEGER,
    source_sha256 BLOB    CHECK (length(source_sha256) = 32),
    input_id      INTEGER,                                      -- the row in `inputs`, if the submitter handed over the bytes
    reuses        INTEGER NOT NULL DEFAULT 0 CHECK (reuses IN (0, 1)), -- whether it takes and gives results by content
    -- The job whose result this one shares. While that one has not ended this one is scheduled for ever; when it succeeds
    -- the result is copied, when it ends otherwise this job is queued for itself and the column is cleared.
    leader_id     INTEGER,
    CONSTRAINT running_jobs_are_claimed
        CHECK ((state = 2) = (claim_token IS NOT NULL)),
    CONSTRAINT running_jobs_have_a_worker
        CHECK (state <> 2 OR (worker_id IS NOT NULL AND started_at_us IS NOT NULL AND attempts > 0)),
    CONSTRAINT finished_jobs_have_an_end
        CHECK ((state >= 3) = (finished_at_us IS NOT NULL)),
    CONSTRAINT failed_jobs_have_a_reason
        CHECK (
            (state = 4) = (error_kind IS NOT NULL)
            AND (state = 4) = (error_message IS NOT NULL)
            AND (state = 4) = (error_retryable IS NOT NULL)
        )
) STRICT;

INSERT INTO new_jobs (
    id, state, model_id, batch_id, parameters_id, source, meta, priority, created_at_us, run_at_us, max_attempts,
    attempts, crashes, claim_token, worker_id, started_at_us, finished_at_us, error_kind, error_message,
    error_retryable, key, latest_key, superseded_by, expires_at_us, time_limit_us, backoff_us, backoff_limit_us,
    source_byte_count, source_modified_at_us, source_sha256, input_id, reuses, leader_id
)
SELECT
    id, state, model_id, batch_id, parameters_id, source, meta, priority, created_at_us, run_at_us, max_attempts,
    attempts, crashes, claim_token, worker_id, started_at_us, finished_at_us, error_kind, error_message,
    error_retryable, key, latest_key, superseded_by, expires_at_us, time_limit_us, backoff_us, backoff_limit_us,
    source_byte_count, source_modified_at_us, source_sha256, input_id, reuses, leader_id
FROM jobs;

DROP TABLE jobs;
ALTER TABLE new_jobs RENAME TO jobs;

-- The claim: the head of each model, then the next few of the chosen one. The oldest wait, from the heads.
CREATE INDEX jobs_queued ON jobs (model_id, priority DESC, run_at_us, id) WHERE state = 1;
-- Promotion of due jobs and the time until the next one.
CREATE INDEX jobs_scheduled ON jobs (run_at_us, id) WHERE state = 0;
-- What a worker holds.
CREATE INDEX jobs_running ON jobs (worker_id, id) WHERE state = 2;
-- Pruning by age, one per final state.
CREATE INDEX jobs_succeeded ON jobs (finished_at_us) WHERE state = 3;
CREATE INDEX jobs_failed ON jobs (finished_at_us) WHERE state = 4;
CREATE INDEX jobs_cancelled ON jobs (finished_at_us) WHERE state = 5;
-- A batch's jobs, in order of submission.
CREATE INDEX jobs_batch ON jobs (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
-- The waiting jobs of a source of which only the newest matters.
CREATE INDEX jobs_latest ON jobs (latest_key) WHERE latest_key IS NOT NULL AND state < 2;
-- Deadlines of jobs that have not started.
CREATE INDEX jobs_expiring ON jobs (expires_at_us) WHERE expires_at_us IS NOT NULL AND state < 2;
-- Results, and jobs under way, by content.
CREATE INDEX jobs_reusable ON jobs (source_sha256, parameters_id, model_id, state)
WHERE reuses = 1 AND state BETWEEN 1 AND 3;
-- Who waits for another job's result.
CREATE INDEX jobs_followers ON jobs (leader_id) WHERE leader_id IS NOT NULL AND state = 0;

-- For people and foreign programs: names instead of numbers, times as text. Read it through a read-only connection.
CREATE VIEW jobs_view AS
SELECT
    jobs.id AS job,
    CASE jobs.state
        WHEN 0 THEN 'scheduled' WHEN 1 THEN 'queued' WHEN 2 THEN 'running'
        WHEN 3 THEN 'succeeded' WHEN 4 THEN 'failed' ELSE 'cancelled'
    END AS state,
    models.name AS model,
    models.path AS model_path,
    models.sha256 AS model_sha256,
    batches.name AS batch,
    jobs.source,
    lower(hex(jobs.source_sha256)) AS source_sha256,
    jobs.meta,
    parameters.json AS parameters,
    jobs.priority,
    jobs.key,
    jobs.attempts,
    jobs.max_attempts,
    jobs.crashes,
    jobs.worker_id AS worker,
    strftime('%Y-%m-%dT%H:%M:%fZ', jobs.created_at_us / 1e6, 'unixepoch') AS submitted_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', jobs.started_at_us / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', jobs.finished_at_us / 1e6, 'unixepoch') AS finished_at,
    jobs.error_kind,
    jobs.error_message
FROM jobs
JOIN models ON models.id = jobs.model_id
JOIN parameters ON parameters.id = jobs.parameters_id
LEFT JOIN batches ON batches.id = jobs.batch_id;

-- One row for each thing that was found: boxes in pixels of the upright image.
CREATE VIEW detections AS
SELECT
    results.job_id AS job,
    jobs.source,
    models.name AS model,
    batches.name AS batch,
    prediction.key AS number, -- from 0, best first
    json_extract(prediction.value, '$.name') AS name,
    json_extract(prediction.value, '$.class') AS class,
    json_extract(prediction.value, '$.confidence') AS confidence,
    json_extract(prediction.value, '$.box.x1') AS x1,
    json_extract(prediction.value, '$.box.y1') AS y1,
    json_extract(prediction.value, '$.box.x2') AS x2,
    json_extract(prediction.value, '$.box.y2') AS y2
FROM results
JOIN jobs ON jobs.id = results.job_id
JOIN models ON models.id = jobs.model_id
LEFT JOIN batches ON batches.id = jobs.batch_id
JOIN json_each(results.document, '$.predictions') AS prediction;
