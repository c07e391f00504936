-- What is kept of a telephone's secret lies sealed with the house key. The house seals what is there
-- when it starts with this schema.

ALTER TABLE phone RENAME COLUMN ha1 TO sealed;
