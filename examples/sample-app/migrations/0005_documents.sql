-- What belongs to a load on paper: rate confirmations, bills of lading, proofs of delivery. Whoever sees the load may see them.
CREATE TABLE freight.documents (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    load_id    uuid        NOT NULL,
    name       text        NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$'),
    content    bytea       NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 1048576),
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, load_id, name),
    FOREIGN KEY (tenant_id, load_id) REFERENCES freight.loads (tenant_id, id)
);
