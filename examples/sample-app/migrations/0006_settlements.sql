-- What a driver is paid for a load, and what the dispatcher earns of its rate.
CREATE TABLE freight.settlements (
    tenant_id     uuid    NOT NULL,
    id            uuid    NOT NULL,
    load_id       uuid    NOT NULL,
    driver_id     uuid    NOT NULL,
    pay_cents     bigint  NOT NULL CHECK (pay_cents >= 0),
    -- In hundredths of a percent of the load's rate.
    commission_bp integer NOT NULL CHECK (commission_bp BETWEEN 0 AND 10000),
    status        text    NOT NULL CHECK (status IN ('draft', 'approved', 'paid')),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, load_id),
    FOREIGN KEY (tenant_id, load_id) REFERENCES freight.loads (tenant_id, id),
    FOREIGN KEY (tenant_id, driver_id) REFERENCES freight.drivers (tenant_id, id)
);

-- What a tenant has switched off. Without a row it is on.
CREATE TABLE freight.feature_flags (
    tenant_id uuid    NOT NULL,
    name      text    NOT NULL,
    enabled   boolean NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
