-- The application's own tables. Tenant policies, roles, grants and guards are not written here:
-- `src/schema.rs` declares them and rls-migrations plans and applies them.
CREATE SCHEMA IF NOT EXISTS freight;

CREATE TABLE freight.tenants (
    tenant_id uuid PRIMARY KEY,
    name      text NOT NULL,
    slug      text NOT NULL
);

-- A person as the business knows them. Passwords, second factors and sessions belong to the session crate.
CREATE TABLE freight.users (
    tenant_id uuid NOT NULL REFERENCES freight.tenants,
    id        uuid NOT NULL,
    name      text NOT NULL,
    email     text NOT NULL,
    role      text NOT NULL,
    team      uuid,
    office    uuid,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);

CREATE TABLE freight.loads (
    tenant_id   uuid   NOT NULL,
    id          uuid   NOT NULL,
    reference   text   NOT NULL,
    customer    text   NOT NULL,
    origin      text   NOT NULL,
    destination text   NOT NULL,
    pickup_on   date   NOT NULL,
    rate_cents  bigint NOT NULL CHECK (rate_cents >= 0),
    status      text   NOT NULL CHECK (status IN ('quoted', 'booked', 'in transit', 'delivered')),
    owner_id    uuid   NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, reference),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES freight.users (tenant_id, id)
);

-- The two sensitive columns hold field-crypto's wire format and nothing else, whoever writes them.
CREATE TABLE freight.drivers (
    tenant_id    uuid  NOT NULL,
    id           uuid  NOT NULL,
    name         text  NOT NULL,
    licence      text  NOT NULL,
    phone        text  NOT NULL,
    ssn          bytea NOT NULL CHECK (octet_length(ssn) >= 33 AND get_byte(ssn, 0) = 1),
    bank_account bytea NOT NULL CHECK (octet_length(bank_account) >= 33 AND get_byte(bank_account, 0) = 1),
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE freight.fiscal_period (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    name           text NOT NULL,
    starts_on      date NOT NULL,
    ends_on        date NOT NULL CHECK (ends_on >= starts_on),
    soft_closed_at timestamptz,
    closed_at      timestamptz,
    closed_by      uuid,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- A posting is never changed: a mistake is reversed by another posting.
CREATE TABLE freight.gl_posting (
    tenant_id    uuid   NOT NULL,
    id           uuid   NOT NULL,
    posted_on    date   NOT NULL,
    account      text   NOT NULL,
    memo         text   NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents <> 0),
    posted_by    uuid   NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, posted_by) REFERENCES freight.users (tenant_id, id)
);
CREATE INDEX gl_posting_by_day ON freight.gl_posting (tenant_id, posted_on DESC, id);
