//! A second PostgreSQL as an anchor.

use sqlx::PgPool;

use crate::{Anchor, AnchorError, Publication};

/// Keeps publications in a table of another server, under another administrator.
///
/// Its role there needs `SELECT` and `INSERT` on the table, nothing else.
#[derive(Clone, Debug)]
pub struct PgAnchor {
    pool: PgPool,
    origin: String,
}

const LATEST: &str = "
SELECT a.publication FROM stockade_anchor.publication a WHERE a.origin = $1 ORDER BY a.size DESC LIMIT 1";

const PUBLISH: &str = "
INSERT INTO stockade_anchor.publication (origin, size, publication)
SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM stockade_anchor.publication a WHERE a.origin = $1 AND a.size >= $2)
ON CONFLICT DO NOTHING";

impl PgAnchor {
    /// The table, append-only for every role, as SQL that the other server's administrator runs once.
    pub const SCHEMA: &'static str = "
CREATE SCHEMA stockade_anchor;
CREATE TABLE stockade_anchor.publication (
    origin      text        NOT NULL,
    size        bigint      NOT NULL CHECK (size > 0),
    publication text        NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size)
);
CREATE FUNCTION stockade_anchor.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an anchor is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION stockade_anchor.refuse() FROM PUBLIC;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stockade_anchor.publication
    FOR EACH STATEMENT EXECUTE FUNCTION stockade_anchor.refuse();
ALTER TABLE stockade_anchor.publication ENABLE ALWAYS TRIGGER append_only;
";

    /// The log that `origin` names, in the table of the server behind this pool.
    #[must_use]
    pub fn new(pool: PgPool, origin: impl Into<String>) -> Self {
        Self { pool, origin: origin.into() }
    }

    async fn latest(&self) -> Result<Option<Publication>, AnchorError> {
        let text: Option<String> = sqlx::query_scalar(LATEST).bind(&self.origin).fetch_optional(&self.pool).await?;
        Ok(text.map(|text| text.parse()).transpose()?)
    }
}

impl Anchor for PgAnchor {
    async fn publish(&self, publication: &Publication) -> Result<(), AnchorError> {
        let insert = sqlx::query(PUBLISH).bind(&self.origin).bind(publication.size().cast_signed());
        let written = insert.bind(publication.to_string()).execute(&self.pool).await?.rows_affected();
        if written == 1 || self.latest().await?.as_ref() == Some(publication) {
            return Ok(());
        }
        Err("the anchor holds another checkpoint of this size or a later one".into())
    }

    async fn fetch_latest(&self) -> Result<Option<Publication>, AnchorError> {
        self.latest().await
    }
}
