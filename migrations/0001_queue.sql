-- SPDX-License-Identifier: Apache-2.0
--
-- The queue. Every time is an integer count of microseconds since 1970 UTC, handed in by the caller: SQL asks no clock.
-- States: 0 scheduled, 1 queued, 2 running, 3 succeeded, 4 failed, 5 cancelled.
--
-- There is no index over (state, …) and there must never be one: with it the planner leaves the partial indexes, and
-- claim and promote get slower with every finished job. `auto_vacuum`, `journal_mode` and the other pragmas are set by
-- the code that opens the file, because they cannot be set inside a transaction.

-- A model as it was when a job was submitted. Submit adds a row the first time it sees (path, sha256); rows stay.
CREATE TABLE models (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL CHECK (name <> ''),
    path          TEXT    NOT NULL CHECK (path <> ''), -- absolute
    sha256        TEXT    NOT NULL CHECK (length(sha256) = 64),
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),
    UNIQUE (path, sha256)
) STRICT;

-- How many jobs of a model are in each state. Kept by every statement that changes a job's state, in its transaction,
-- so that nobody ever counts the history. A count below zero is a bug of ours and refuses the transaction.
CREATE TABLE model_counts (
    model_id  INTEGER PRIMARY KEY REFERENCES models (id),
    scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
    queued    INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    running   INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed    INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0)
) STRICT;

-- A named group of jobs. Submit adds it with its first job; later submits may add jobs to it.
CREATE TABLE batches (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE CHECK (name <> '' AND name GLOB '*[^0-9]*'),
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0)
) STRICT;

-- As model_counts, for each batch.
CREATE TABLE batch_counts (
    batch_id  INTEGER PRIMARY KEY REFERENCES batches (id),
    scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
    queued    INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    running   INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
    succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed    INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0)
) STRICT;

-- The parameters of jobs, each distinct text once: a million jobs of one command share a row.
CREATE TABLE parameters (
    id   INTEGER PRIMARY KEY,
    json TEXT    NOT NULL UNIQUE CHECK (json_valid(json))
) STRICT;

CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,            -- never reused: ids are in users' hands
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
    error_retryable INTEGER CHECK (error_retryable IN (0, 1)), -- whether running it again could help
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

-- The claim: the head of each model, then the next few of the chosen one.
CREATE INDEX jobs_queued ON jobs (model_id, priority DESC, run_at_us, id) WHERE state = 1;
-- The oldest wait.
CREATE INDEX jobs_waiting ON jobs (run_at_us) WHERE state = 1;
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

-- What a succeeded job gave: JSON written by the worker, away from the hot table. Its validity is not checked here: a
-- result can hold megabytes of masks, and the writer is tested.
CREATE TABLE results (
    job_id   INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    document TEXT    NOT NULL
) STRICT;

-- Attempts that ended without ending their job; the last attempt is in the job's own row.
CREATE TABLE attempts (
    job_id        INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL CHECK (number > 0),
    worker_id     TEXT    NOT NULL,
    started_at_us INTEGER NOT NULL,
    ended_at_us   INTEGER NOT NULL,
    outcome       TEXT    NOT NULL CHECK (outcome IN ('error', 'interrupted', 'crash', 'rescued')),
    error_kind    TEXT,
    error_message TEXT,
    id            INTEGER PRIMARY KEY AUTOINCREMENT -- an interrupted attempt keeps its number free, so numbers repeat
) STRICT;

CREATE INDEX attempts_job ON attempts (job_id, id);

-- Worker processes. A worker locks its file `<database>-workers/<id>.lock` before it adds its row, and removes the row
-- before it removes the file: a row whose file nobody locks belongs to a dead process.
CREATE TABLE workers (
    id                  TEXT    PRIMARY KEY CHECK (id <> ''),
    host                TEXT    NOT NULL,
    boot_id             TEXT    NOT NULL,
    pid                 INTEGER NOT NULL, -- for people; never used to decide anything
    threads             INTEGER NOT NULL CHECK (threads > 0),
    serves              TEXT    CHECK (serves IS NULL OR json_valid(serves)), -- JSON array of model names and paths; NULL: every model
    started_at_us       INTEGER NOT NULL CHECK (started_at_us > 0),
    lease_expires_at_us INTEGER NOT NULL
) STRICT;
