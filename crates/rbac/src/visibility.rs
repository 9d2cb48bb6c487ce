//! Which rows: one description of a table, from which a row is judged, a list is filtered and policies are written.

mod arm;
mod filter;
mod packed;
mod policies;
#[cfg(feature = "postgres")]
mod query;
mod quoting;

pub use self::filter::RowFilter;
pub use self::policies::{RowPolicies, RowPolicy};

/// What the columns of a table say about its rows: the same facts that a [`Resource`](crate::Resource) states.
///
/// From it come the three forms of "which rows may this person see": [`RowFilter::matches`] in memory, [`RowFilter::push_to`]
/// as a condition of a query, and [`RowPolicies`] as row-level security. They read one list, and a test compares them
/// on a million decisions.
///
/// ```
/// use stockade_rbac::Rows;
///
/// static LOADS: Rows = Rows::new("freight", "loads", "tenant_id").owner("owner_id").team("team_id").office("office_id");
/// ```
///
/// A column that holds `NULL` or the nil UUID matches nobody. A fact that has no column here must not be stated in the
/// `Resource` of such a row, or the decision knows more than the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    schema: &'static str,
    table: &'static str,
    tenant: &'static str,
    owner: Option<&'static str>,
    team: Option<&'static str>,
    office: Option<&'static str>,
    shared: Option<Shared>,
    maker: Option<&'static str>,
}

/// How single rows are named where they are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shared {
    key: &'static str,
    kind: &'static str,
}

impl Rows {
    /// A table and the `uuid` column with the tenant of a row.
    #[must_use]
    pub const fn new(schema: &'static str, table: &'static str, tenant: &'static str) -> Self {
        Self { schema, table, tenant, owner: None, team: None, office: None, shared: None, maker: None }
    }

    /// Names the `uuid` column with the person the row belongs to.
    #[must_use]
    pub const fn owner(mut self, column: &'static str) -> Self {
        self.owner = Some(column);
        self
    }

    /// Names the `uuid` column with the team the row belongs to.
    #[must_use]
    pub const fn team(mut self, column: &'static str) -> Self {
        self.team = Some(column);
        self
    }

    /// Names the `uuid` column with the office the row belongs to.
    #[must_use]
    pub const fn office(mut self, column: &'static str) -> Self {
        self.office = Some(column);
        self
    }

    /// Names the `uuid` column with the person who made the row, which nothing but making the row may write. Permissions that
    /// the policy keeps from the maker of a row (a separation of kind `same-record`) reach no row of a table without it.
    #[must_use]
    pub const fn made_by(mut self, column: &'static str) -> Self {
        self.maker = Some(column);
        self
    }

    /// Lets single rows be shared: their `uuid` key column, and the kind under which `stockade.rbac_share` knows them.
    #[must_use]
    pub const fn shared(mut self, key: &'static str, kind: &'static str) -> Self {
        self.shared = Some(Shared { key, kind });
        self
    }
}
