-- SPDX-License-Identifier: Apache-2.0
--
-- Watched folders, videos.
-- Columns keep the rule of 0001: every time is microseconds since 1970 UTC, handed in by the caller.

-- How far `yoloq watch` has come with a folder, so that a new start neither misses a file nor runs old ones again.
CREATE TABLE watches (
    name             TEXT    PRIMARY KEY CHECK (name <> ''), -- by watch: names the folder and the model
    handled_until_us INTEGER NOT NULL CHECK (handled_until_us > 0) -- by watch: every file that was last changed before is dealt with
) STRICT;

-- As `detections`, for the frames of videos.
CREATE VIEW video_detections AS
SELECT
    results.job_id AS job,
    jobs.source,
    models.name AS model,
    batches.name AS batch,
    json_extract(frame.value, '$.frame') AS frame, -- from 0
    json_extract(frame.value, '$.time_s') AS time_s, -- after the video's first frame
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
JOIN json_each(results.document, '$.frames') AS frame
JOIN json_each(frame.value, '$.predictions') AS prediction;
