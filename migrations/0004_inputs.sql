-- SPDX-License-Identifier: Apache-2.0
--
-- Watched folders.
-- Columns keep the rule of 0001: every time is microseconds since 1970 UTC, handed in by the caller.

-- How far `yoloq watch` has come with a folder, so that a new start neither misses a file nor runs old ones again.
CREATE TABLE watches (
    name             TEXT    PRIMARY KEY CHECK (name <> ''), -- by watch: names the folder and the model
    handled_until_us INTEGER NOT NULL CHECK (handled_until_us > 0) -- by watch: every file that was last changed before is dealt with
) STRICT;
