-- SPDX-License-Identifier: Apache-2.0
--
-- Scheduling, retries, deadlines, keys, pauses, pinned and inline inputs, and views for people.
-- Columns keep the rule of 0001: every time is microseconds since 1970 UTC, handed in by the caller.

-- Idempotency: by submit. At most one stored job has a key, whatever its state; pruning the job frees it.
ALTER TABLE jobs ADD COLUMN key TEXT CHECK (key <> '');
-- Freshness: by submit. A new job of the same key cancels the waiting ones.
ALTER TABLE jobs ADD COLUMN latest_key TEXT CHECK (latest_key <> '');
-- The newer job of that key, by the submit that cancelled this one.
ALTER TABLE jobs ADD COLUMN superseded_by INTEGER;
-- Not to be started from then on: by submit.
ALTER TABLE jobs ADD COLUMN expires_at_us INTEGER;
-- How long one attempt may take: by submit.
ALTER TABLE jobs ADD COLUMN time_limit_us INTEGER CHECK (time_limit_us > 0);
-- The wait before the second attempt, doubled before each further one, and its bound: by submit.
ALTER TABLE jobs ADD COLUMN backoff_us INTEGER NOT NULL DEFAULT 2000000 CHECK (backoff_us >= 0);
ALTER TABLE jobs ADD COLUMN backoff_limit_us INTEGER NOT NULL DEFAULT 600000000 CHECK (backoff_limit_us >= 0);
-- What the source was when it was submitted, so that a changed file is noticed: by submit.
ALTER TABLE jobs ADD COLUMN source_byte_count INTEGER CHECK (source_byte_count >= 0);
ALTER TABLE jobs ADD COLUMN source_modified_at_us INTEGER;
ALTER TABLE jobs ADD COLUMN source_sha256 BLOB CHECK (length(source_sha256) = 32);
-- The row in `inputs`, if the submitter handed over the bytes themselves.
ALTER TABLE jobs ADD COLUMN input_id INTEGER;
-- Whether the job takes and gives results by content: same bytes, model hash and parameters.
ALTER TABLE jobs ADD COLUMN reuses INTEGER NOT NULL DEFAULT 0 CHECK (reuses IN (0, 1));
-- The job whose result this one shares. While that one has not ended this one is scheduled for ever; when it succeeds
-- the result is copied, when it ends otherwise this job is queued for itself and the column is cleared.
ALTER TABLE jobs ADD COLUMN leader_id INTEGER;

-- A pause of models of this name or path, those of later submits included; '*' is the whole queue.
CREATE TABLE pauses (
    model         TEXT    PRIMARY KEY CHECK (model <> ''),
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0)
) STRICT;

-- Whether any pause applies: kept by pause, resume and the submit that adds the model, read by the claim.
ALTER TABLE models ADD COLUMN is_paused INTEGER NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1));

-- Bytes that submitters handed over, each content once; away from the hot table. The row goes with its last job.
CREATE TABLE inputs (
    id        INTEGER PRIMARY KEY,
    sha256    BLOB    NOT NULL UNIQUE CHECK (length(sha256) = 32),
    bytes     BLOB    NOT NULL,
    job_count INTEGER NOT NULL CHECK (job_count >= 0)
) STRICT;

-- When a task that only one process needs to do was last done.
CREATE TABLE maintenance (
    task      TEXT    PRIMARY KEY,
    ran_at_us INTEGER NOT NULL
) STRICT;

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
