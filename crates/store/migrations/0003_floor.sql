-- What happened on the floor: the journal, and beside it what the journal may not say.

CREATE TABLE event (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    config_n BIGINT NOT NULL,
    call_id TEXT,
    agent_id TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX event_by_call ON event (tenant_id, call_id, seq) WHERE call_id IS NOT NULL;
CREATE INDEX event_by_agent ON event (tenant_id, agent_id, at) WHERE agent_id IS NOT NULL;

CREATE TABLE party (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    number TEXT,
    name TEXT,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE call (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    party_id TEXT NOT NULL,
    leg_id TEXT NOT NULL,
    dialled TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_version BIGINT NOT NULL,
    language TEXT NOT NULL,
    consent TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    answered_at BIGINT,
    ended_at BIGINT,
    queue_id TEXT,
    waiting_since BIGINT,
    agent_id TEXT,
    waited_us BIGINT NOT NULL,
    talk_us BIGINT NOT NULL,
    hold_us BIGINT NOT NULL,
    wrap_us BIGINT NOT NULL,
    outcome TEXT,
    cause TEXT,
    disposition TEXT,
    resolved BOOLEAN,
    recorded BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX call_by_start ON call (tenant_id, started_at, id);
CREATE INDEX call_by_agent ON call (tenant_id, agent_id, started_at);
CREATE INDEX call_open ON call (tenant_id, id) WHERE ended_at IS NULL;

CREATE TABLE fact (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    call_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    value TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, n)
);

CREATE TABLE note (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    call_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, agent_id)
);

CREATE TABLE callback (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    call_id TEXT NOT NULL,
    party_id TEXT NOT NULL,
    queue_id TEXT NOT NULL,
    waiting_since BIGINT NOT NULL,
    listed_at BIGINT NOT NULL,
    done_at BIGINT,
    done_by TEXT,
    PRIMARY KEY (tenant_id, call_id)
);

CREATE TABLE agent_intent (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    agent_id TEXT NOT NULL,
    intent TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE recording (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    path TEXT NOT NULL,
    length_ms BIGINT NOT NULL,
    complete BOOLEAN NOT NULL,
    sha256 TEXT,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT recording_place UNIQUE (tenant_id, call_id, n)
);
