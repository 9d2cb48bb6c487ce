//! The kinds of attempt.

use std::fmt;

/// What an attempt is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Each tenant table.
    Table,
    /// What lies around the tables: views, partitions, functions, sequences, shared and undeclared tables.
    Around,
    /// The database, once; where it needs a table, the first one that the canaries have rows in.
    Database,
    /// A connection of the application's own login, once.
    Login,
}

macro_rules! kinds {
    ($($variant:ident, $id:literal, $scope:ident, $sentence:literal, $expected:literal;)+) => {
        /// The kinds of attempt of [`Schema::probe`](crate::Schema::probe).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Attempt {
            $(#[doc = concat!("Tenant A ", $sentence, ".")] $variant,)+
        }

        impl Attempt {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name under which tools can refer to the kind; it does not change.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// What it is made on.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)+ }
            }

            /// What tenant A, the application in A's context, does.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }

            /// What an isolated database answers.
            #[must_use]
            pub const fn expected(self) -> &'static str {
                match self { $(Self::$variant => $expected,)+ }
            }
        }
    };
}

kinds! {
    Select, "select", Table, "reads rows of B by B's identifier", "no row";
    SelectOthers, "select-others", Table, "reads any row that is not A's, also one without a tenant", "no row";
    Join, "join", Table, "joins the table to itself and asks for B", "no row";
    Aggregate, "aggregate", Table, "counts by tenant and asks for B", "no row";
    Exists, "exists", Table, "asks whether a row of B exists", "no row";
    Subquery, "subquery", Table, "looks B up among the tenants of a sub-select", "no row";
    Cte, "cte", Table, "reads rows of B in a materialised WITH", "no row";
    RecursiveCte, "recursive-cte", Table, "reads rows of B in a recursive WITH", "no row";
    Lateral, "lateral", Table, "reads rows of B in a LATERAL sub-select", "no row";
    Window, "window", Table, "numbers rows by tenant and asks for B", "no row";
    SetOperation, "set-operation", Table, "reads rows of B out of a UNION ALL", "no row";
    TableSample, "tablesample", Table, "samples the whole table for B", "no row";
    Ctid, "ctid", Table, "reads the row of B by its physical address", "no row";
    SystemColumns, "system-columns", Table, "reads tableoid and xmin of B's rows", "no row";
    WholeRow, "whole-row", Table, "searches whole rows as text for B", "no row";
    Xml, "query-to-xml", Table, "reads rows of B through query_to_xml", "no row";
    Statistics, "statistics", Table, "reads sampled values out of pg_stats", "row security is active for the reader";
    LeakyPredicate, "leaky-predicate", Table, "makes a condition fail on B's row and reads the error", "no error names B";
    RowLock, "row-lock", Table, "locks rows of B", "no row";
    Cursor, "cursor", Table, "fetches rows of B from a cursor", "no row";
    CopyTo, "copy-to", Table, "copies rows of B out", "no row";
    CopyFrom, "copy-from", Table, "copies rows of any tenant in", "refused";
    Prepared, "prepared-switch", Table, "runs a generic plan again that was made in B's context", "no row";
    PlanRoleChange, "plan-role-change", Table, "runs a plan again that was made for another role", "no row";
    RowSecurityOff, "row-security-off", Table, "sets row_security to off and reads", "refused";
    ContextReset, "context-reset", Table, "resets the context and reads", "no row";
    ContextEmpty, "context-empty", Table, "empties the context and reads", "no row";
    ContextMalformed, "context-malformed", Table, "sets a context that is no identifier and reads", "no row, or an error";
    ContextOtherType, "context-other-type", Table, "sets a number as context and reads", "no row, or an error";
    ContextTwice, "context-twice", Table, "was B a moment ago, is A now, and reads rows of B", "no row";
    ReaderSelect, "reader-select", Table, "is the reading role and reads rows of B", "no row";
    OwnerSelect, "owner-select", Table, "is the table's owner and reads rows of B", "no row";
    Insert, "insert", Table, "inserts a row of B", "refused";
    InsertWithoutTenant, "insert-without-tenant", Table, "inserts a row without a tenant", "refused";
    InsertSelect, "insert-select", Table, "inserts rows made from rows of B", "no row";
    Update, "update", Table, "changes rows of B", "no row";
    UpdateJoin, "update-join", Table, "changes rows of A by rows of B", "no row";
    Move, "move", Table, "moves a row from A to B", "refused";
    Delete, "delete", Table, "removes rows of B", "no row";
    DeleteJoin, "delete-join", Table, "removes rows of A by rows of B", "no row";
    Returning, "returning", Table, "removes rows of B and has them returned", "no row";
    Upsert, "upsert", Table, "inserts onto B's key and changes what is there", "B's row is neither changed nor shown to exist";
    ConflictOracle, "conflict-oracle", Table, "inserts B's key and does nothing on conflict", "the row is inserted: no conflict shows";
    UniqueOracle, "unique-oracle", Table, "inserts a row of A with B's unique values", "the row is inserted: no violation shows";
    MergeChange, "merge-change", Table, "merges into rows of B", "no row";
    MergeInsert, "merge-insert", Table, "merges a new row of B in", "refused";
    ForeignKeyOracle, "foreign-key-oracle", Table, "hangs a row of A from a parent of B", "refused";
    Cascade, "cascade", Table, "removes a parent of A from which a row of B hangs", "B's row cannot hang there";
    Truncate, "truncate", Table, "truncates the table", "refused";
    DisableSecurity, "disable-security", Table, "switches row-level security off", "refused";
    CreatePolicy, "create-policy", Table, "creates a policy of its own", "refused";
    CreateTrigger, "create-trigger", Table, "attaches a trigger to the table", "refused";
    References, "references", Table, "may point foreign keys of its own at the table", "the privilege is not held";
    PassOn, "pass-on", Table, "may grant the table to others", "the grant option is not held";
    AppendOnly, "append-only", Table, "changes a row of an append-only table, whatever the role", "refused";
    ClosedPeriod, "closed-period", Table, "posts into a closed period, whatever the role", "refused";
    ReadOnlyWrite, "read-only-write", Table, "writes in a read-only context", "refused, or no row";
    ViewRead, "view-read", Around, "reads a view whose contents change with B's rows", "the same before and after B has rows";
    ViewWrite, "view-write", Around, "changes rows of B through a view", "refused, or no row";
    ViewInsert, "view-insert", Around, "inserts a row of B through a view", "refused";
    MaterializedView, "materialized-view", Around, "reads a materialised view over tenant tables", "refused";
    PartitionRead, "partition-read", Around, "reads rows of B from a partition or child named directly", "refused, or no row";
    PartitionWrite, "partition-write", Around, "inserts a row of B into a partition or child named directly", "refused";
    DefinerFunction, "definer-function", Around, "calls a SECURITY DEFINER function whose answer changes with B's rows", "the same before and after B has rows";
    DefinerPath, "definer-path", Around, "plants an object in the search path of a SECURITY DEFINER function", "the path is fixed, or nothing can be planted";
    Sequence, "sequence", Around, "reads the number that a sequence has reached", "refused";
    SharedWrite, "shared-write", Around, "writes into a table that all tenants share", "refused";
    Undeclared, "undeclared-table", Around, "reads a table that nobody declared", "refused";
    NewTable, "new-table", Database, "reads a table that the owner has just created", "refused";
    SetConfigUnion, "set-config-union", Database, "becomes B by set_config in a UNION ALL of one statement", "refused, or no effect";
    SetConfigWhere, "set-config-where", Database, "becomes B by set_config in a condition of one statement", "refused, or no effect";
    StackedSet, "stacked-set", Database, "becomes B by a SET LOCAL of its own", "no effect";
    ForgedLease, "forged-lease", Database, "makes a lease up and reads", "no row";
    ReadLeases, "read-leases", Database, "reads the table of leases", "refused";
    MintLease, "mint-lease", Database, "mints a lease for B", "refused";
    ReplaceContext, "replace-context", Database, "replaces the view of the tenant's context", "refused";
    PresetContext, "preset-context", Database, "makes B the context of its role's next sessions", "refused";
    TempTable, "temp-table", Database, "puts a temporary table in the place of a real one", "refused";
    TempFunction, "temp-function", Database, "creates a temporary function", "refused";
    CopyTable, "copy-table", Database, "makes a copy of a table that is under no policy", "refused";
    CreateFunction, "create-function", Database, "creates a function in the schema", "refused";
    CreateInPublic, "create-in-public", Database, "creates a function in schema public", "refused";
    LargeObject, "large-object", Database, "reads a large object that was made in B's context", "refused";
    Parallel, "parallel", Database, "reads rows of B by parallel workers", "no row";
    Savepoint, "savepoint", Database, "was B after a savepoint, went back to it, and reads rows of B", "no row";
    AbortedTransaction, "aborted-transaction", Database, "reads rows of B after an error that was rolled back", "no row";
    DisableTriggers, "disable-triggers", Database, "switches triggers and foreign keys off for the session", "refused";
    ServerFiles, "server-files", Database, "reads a file of the server", "refused";
    Publication, "publication", Database, "publishes a tenant table", "refused";
    RawStatistics, "raw-statistics", Database, "reads sampled values out of pg_statistic", "refused";
    Activity, "activity", Database, "reads statements of other sessions in pg_stat_activity", "refused, or hidden";
    Estimates, "estimates", Database, "reads row estimates of EXPLAIN", "not closable in the database";
    RowCounts, "row-counts", Database, "reads pg_class.reltuples", "not closable in the database";
    AdvisoryLocks, "advisory-locks", Database, "waits for an advisory lock that B holds", "not closable in the database";
    Notifications, "notifications", Database, "listens on the channel of B", "not closable in the database";
    LoginBypasses, "login-bypasses", Login, "logs in with a role that row-level security does not bind, or that owns tables", "neither";
    LoginSetRole, "login-set-role", Login, "becomes an owner, a superuser or a role with BYPASSRLS by SET ROLE", "refused";
    LoginSessionAuthorization, "login-session-authorization", Login, "becomes another login by SET SESSION AUTHORIZATION", "refused";
    LoginWithoutContext, "login-without-context", Login, "reads committed rows in a new session that never had a context", "no row, or an error";
    ConnectionOptions, "connection-options", Login, "names B in its connection options", "no effect";
    SessionSetting, "session-setting", Login, "leaves a context in the session for the next borrower", "not closable in the database";
    HoldCursor, "hold-cursor", Login, "leaves a cursor WITH HOLD open for the next borrower", "not closable in the database";
}

impl Attempt {
    /// The control outside the schema that closes a channel which PostgreSQL leaves open; `None` for what a schema can close.
    #[must_use]
    pub const fn closing_control(self) -> Option<&'static str> {
        match self {
            Self::StackedSet | Self::ConnectionOptions => {
                Some("a capability lease as context, or a statement gate that refuses SET")
            }
            Self::ConflictOracle | Self::UniqueOracle | Self::Upsert => {
                Some("the key is a UUID, which nobody guesses; a key that begins with the tenant shows nothing at all")
            }
            Self::Sequence => Some("the application needs USAGE to insert; an identity column or a UUID key does not"),
            Self::SharedWrite => {
                Some("the declaration lets the application write here; every tenant sees what is written")
            }
            Self::Estimates => Some("a statement gate that refuses EXPLAIN"),
            Self::RowCounts => Some("none: the sizes of tables are no secret of one tenant"),
            Self::AdvisoryLocks => Some("lock numbers that are derived from the tenant"),
            Self::Notifications => Some("a statement gate that refuses LISTEN and NOTIFY"),
            Self::SessionSetting => Some("a transaction-local context and a pool that resets what it takes back"),
            Self::HoldCursor => Some("a statement gate that refuses DECLARE, or CLOSE ALL on release"),
            _ => None,
        }
    }

    /// Whether it is made only on tables with the guard, the key or the context that it attacks.
    pub(super) const fn is_conditional(self) -> bool {
        matches!(
            self,
            Self::ForeignKeyOracle | Self::Cascade | Self::AppendOnly | Self::ClosedPeriod | Self::ReadOnlyWrite
        )
    }

    /// Whether PostgreSQL leaves this channel open whatever the schema does, so that it is never [`Leaked`](crate::Verdict::Leaked).
    #[must_use]
    pub const fn is_inherent(self) -> bool {
        matches!(
            self,
            Self::Estimates
                | Self::RowCounts
                | Self::AdvisoryLocks
                | Self::Notifications
                | Self::SessionSetting
                | Self::HoldCursor
        )
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
