-- The telephones that are connected, so that a crash leaves none of them connected in the journal.
CREATE TABLE device_up (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    agent_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);
