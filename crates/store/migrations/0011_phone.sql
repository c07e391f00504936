-- Telephones that register: by what each names itself, and what is kept of its secret.

CREATE TABLE phone (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    device_id TEXT NOT NULL,
    username TEXT NOT NULL,
    digest TEXT NOT NULL,
    ha1 TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id),
    CONSTRAINT phone_username UNIQUE (username)
);

-- Where they registered (JSON), and when that was kept: they can be rung at once after a restart.
CREATE TABLE phone_contact (
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    device_id TEXT NOT NULL,
    contacts TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, device_id)
);
