-- A secret that a caller typed: what stands for its digits, which are kept nowhere.

ALTER TABLE fact ADD COLUMN secret_id TEXT;
