-- Offices, teams and customers' accounts, and to whom of them a row belongs. Who is in which team and office, and with which roles,
-- is in the tables of stockade-rbac; which rows somebody reaches, `src/reach.rs` says once for lists, checks and policies.
CREATE TABLE freight.offices (
    tenant_id uuid NOT NULL REFERENCES freight.tenants,
    id        uuid NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE freight.teams (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    office_id uuid NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, office_id) REFERENCES freight.offices (tenant_id, id)
);

-- A customer, looked after by a person of an office.
CREATE TABLE freight.accounts (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    name      text NOT NULL,
    owner_id  uuid NOT NULL,
    office_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES freight.users (tenant_id, id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES freight.offices (tenant_id, id)
);

ALTER TABLE freight.loads
    ADD COLUMN team_id uuid,
    ADD COLUMN office_id uuid,
    ADD FOREIGN KEY (tenant_id, team_id) REFERENCES freight.teams (tenant_id, id),
    ADD FOREIGN KEY (tenant_id, office_id) REFERENCES freight.offices (tenant_id, id);
CREATE INDEX loads_by_owner ON freight.loads (tenant_id, owner_id);
CREATE INDEX loads_by_team ON freight.loads (tenant_id, team_id);
CREATE INDEX loads_by_office ON freight.loads (tenant_id, office_id);

ALTER TABLE freight.drivers
    ADD COLUMN office_id uuid,
    ADD FOREIGN KEY (tenant_id, office_id) REFERENCES freight.offices (tenant_id, id);

ALTER TABLE freight.users DROP COLUMN role, DROP COLUMN team, DROP COLUMN office;
