-- Calls are found by the caller's number: first the parties, then their calls.

CREATE INDEX party_by_number ON party (tenant_id, number);
CREATE INDEX call_by_party ON call (tenant_id, party_id, started_at);
