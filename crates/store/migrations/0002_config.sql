-- The configuration: one row per thing as it is now, and one immutable snapshot per version.

CREATE TABLE config_version (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    summary TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    PRIMARY KEY (tenant_id, n)
);

-- kind: queue, agent, prompt, calendar, disposition, break_reason. name is unique in its kind.
CREATE TABLE config_item (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant_id, kind, id),
    CONSTRAINT item_name UNIQUE (tenant_id, kind, name)
);

CREATE TABLE flow (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    draft TEXT NOT NULL,
    published BIGINT,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT flow_name UNIQUE (tenant_id, name)
);

CREATE TABLE flow_version (
    tenant_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (tenant_id, flow_id, version),
    FOREIGN KEY (tenant_id, flow_id) REFERENCES flow (tenant_id, id)
);

-- The number plan of the whole house: a number leads to one flow of one tenant.
CREATE TABLE number (
    dialled TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    FOREIGN KEY (tenant_id, flow_id) REFERENCES flow (tenant_id, id)
);

CREATE TABLE blob (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, sha256)
);
