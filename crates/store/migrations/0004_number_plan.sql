-- A number is unique within its tenant, and a tenant may have a SIP domain of its own.
-- `claim` counts up over the whole house: of several tenants with one number, calls that name no
-- tenant's domain reach the lowest. It is no time, because clocks step back.

ALTER TABLE tenant ADD COLUMN domain TEXT;
CREATE UNIQUE INDEX tenant_domain ON tenant (domain);

CREATE TABLE number_claim (
    tenant_id TEXT NOT NULL,
    dialled TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    claim BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, dialled),
    CONSTRAINT number_claim_order UNIQUE (claim),
    FOREIGN KEY (tenant_id, flow_id) REFERENCES flow (tenant_id, id)
);
INSERT INTO number_claim (tenant_id, dialled, flow_id, claim)
SELECT tenant_id, dialled, flow_id, ROW_NUMBER() OVER (ORDER BY dialled) FROM number;
DROP TABLE number;
ALTER TABLE number_claim RENAME TO number;
