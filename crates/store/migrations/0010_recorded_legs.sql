-- Whose sound a recording holds: the ids of the legs with a blank between. Of those made before only
-- the file tells.
ALTER TABLE recording ADD COLUMN legs TEXT NOT NULL DEFAULT '';
