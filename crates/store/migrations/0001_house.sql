-- The house: tenants, people and keys. Portable subset: BIGINT, TEXT, DOUBLE PRECISION, BOOLEAN.
-- Ids are hyphenated UUIDs, times microseconds UTC, JSON is TEXT and read in Rust only.
-- tidy: house-wide: tenant

CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    zone TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE app_user (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    mail TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    language TEXT NOT NULL,
    password_hash TEXT,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT user_mail UNIQUE (tenant_id, mail)
);
CREATE INDEX app_user_by_mail ON app_user (mail);

CREATE TABLE session (
    token_digest TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX session_by_user ON session (tenant_id, user_id);

CREATE TABLE api_key (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    token_digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (tenant_id, name)
);
