-- Drivers are found by their number through a keyed hash of it, and their values are under keys of their own.
ALTER TABLE freight.drivers
    ADD COLUMN ssn_index bytea CHECK (octet_length(ssn_index) > 16),
    ADD CONSTRAINT drivers_ssn_sealed CHECK (octet_length(ssn) >= 33
        AND substring(ssn FROM 1 FOR 1) = '\x01'::bytea AND substring(ssn FROM 2 FOR 4) <> '\x00000000'::bytea),
    ADD CONSTRAINT drivers_bank_account_sealed CHECK (octet_length(bank_account) >= 33
        AND substring(bank_account FROM 1 FOR 1) = '\x01'::bytea AND substring(bank_account FROM 2 FOR 4) <> '\x00000000'::bytea);
CREATE UNIQUE INDEX drivers_by_ssn ON freight.drivers (tenant_id, ssn_index);

-- Services that the brokerage is connected to, each by a token that lets whoever holds it act in the brokerage's name.
CREATE TABLE freight.integrations (
    tenant_id   uuid  NOT NULL,
    id          uuid  NOT NULL,
    name        text  NOT NULL,
    oauth_token bytea NOT NULL CHECK (octet_length(oauth_token) >= 33
        AND substring(oauth_token FROM 1 FOR 1) = '\x01'::bytea AND substring(oauth_token FROM 2 FOR 4) <> '\x00000000'::bytea),
    PRIMARY KEY (tenant_id, id)
);
