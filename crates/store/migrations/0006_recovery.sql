-- What a start has to look at is found by an index that holds nothing else, however long the history.
-- `finished`: nothing of the call can change any more, its wrap-ups included. A program that does not
-- know the column leaves it false, so a start looks at such a call once more.

ALTER TABLE call ADD COLUMN finished BOOLEAN NOT NULL DEFAULT FALSE;
-- A wrap-up lasts an hour at most: what ended before that is finished.
UPDATE call SET finished = TRUE
WHERE ended_at < (
    SELECT e.at - 3600000000 FROM event e WHERE e.tenant_id = call.tenant_id
    ORDER BY e.seq DESC LIMIT 1
);
CREATE INDEX call_unfinished ON call (tenant_id, started_at, id) WHERE NOT finished;
CREATE INDEX recording_open ON recording (tenant_id, started_at) WHERE sha256 IS NULL;
