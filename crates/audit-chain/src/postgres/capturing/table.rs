//! Which table is captured, and how.

/// A table to [attach](super::attach), with what its entries say.
///
/// Each entry has the row's tenant, an action such as `invoice.update`, the row's id, and the row before and after as JSON objects
/// with a member for each column, as `to_jsonb` shows it in UTC. A number that a 64-bit integer or double would change is a
/// string of its digits; a column of more than 16 KiB, or of more than 89 levels, is `{"bytes": .., "sha256": ".."}` of its text.
///
/// ```
/// use stockade_audit_chain::postgres::Capture;
///
/// let invoices = Capture::table("invoices").named("invoice").personal(["email"]).leave_out(["updated_at"]);
/// let rates = Capture::table("rates").schema("billing").tenant("account_id").id(["lane", "valid_from"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) tenant: String,
    pub(super) id: Option<Vec<String>>,
    pub(super) entity: Option<String>,
    pub(super) action: Option<String>,
    pub(super) personal: Vec<String>,
    pub(super) left_out: Vec<String>,
}

impl Capture {
    /// A table by its name as the catalogue has it, without quotes, found by the connection's search path. Its tenant column is
    /// `tenant_id`, its id the primary key, and entity type and action begin with the table's name.
    #[must_use]
    pub fn table(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            table: name.into(),
            tenant: "tenant_id".to_owned(),
            id: None,
            entity: None,
            action: None,
            personal: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The table's schema.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The column with the tenant: of type `uuid`, `NOT NULL`.
    #[must_use]
    pub fn tenant(mut self, column: impl Into<String>) -> Self {
        self.tenant = column.into();
        self
    }

    /// The columns that identify a row, in place of the primary key. The id of several is a JSON array of their values, one that is
    /// longer than 256 bytes is its hash. They stay in the log for good, so they must not be personal.
    #[must_use]
    pub fn id<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.id = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// What a row is: the entity type, and what precedes `.insert`, `.update` and `.delete` in the action.
    #[must_use]
    pub fn named(mut self, entity: impl Into<String>) -> Self {
        let entity = entity.into();
        (self.action, self.entity) = (Some(entity.clone()), Some(entity));
        self
    }

    /// Another beginning of the action than [`named`](Self::named) gives.
    #[must_use]
    pub fn action(mut self, prefix: impl Into<String>) -> Self {
        self.action = Some(prefix.into());
        self
    }

    /// Columns whose values are personal: stored under commitments, and forgotten by an [erasure](crate::postgres::erase) of the
    /// entity.
    #[must_use]
    pub fn personal<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.personal.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Columns that are not recorded. An update of nothing else records nothing.
    #[must_use]
    pub fn leave_out<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.left_out.extend(columns.into_iter().map(Into::into));
        self
    }
}
