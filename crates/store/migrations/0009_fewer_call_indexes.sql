-- Nothing asks for open calls alone any more: see call_unfinished of 0006.
DROP INDEX call_open;
-- A call that has no agent yet is not looked for by its agent.
DROP INDEX call_by_agent;
CREATE INDEX call_by_agent ON call (tenant_id, agent_id, started_at) WHERE agent_id IS NOT NULL;
