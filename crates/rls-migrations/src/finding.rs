//! What health and lint report.

use std::fmt;

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A weakness of the design: tells something across tenants, or is slow.
    Notice,
    /// One more mistake away from a leak.
    Warning,
    /// Isolation or a guard does not hold.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub(crate) rule: Rule,
    pub(crate) object: String,
    pub(crate) detail: Option<String>,
    pub(crate) fix: Option<String>,
}

impl Finding {
    /// The rule that it breaks.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// How bad that is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// The object that breaks the rule, such as `freight.loads` or a role's name.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Why the rule is there.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.rule.why()
    }

    /// What exactly was seen, where the rule and the object do not say it all: which column, which role.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// SQL that repairs it, where the repair does not depend on what the application means. `None` for what the next
    /// [`Plan`](crate::Plan) repairs, and for what somebody has to decide.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.fix.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, object, detail, .. } = self;
        write!(f, "{}: {} `{}`: {}", rule.severity(), rule.id(), object.escape_debug(), rule.why())?;
        detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({})", detail.escape_debug()))
    }
}

/// The facts of a rule in one table: variant, identity, severity, why.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident, $id:literal, $severity:ident, $why:literal;)+) => {
        /// The rules of [`Schema::health`](crate::Schema::health) and [`Schema::lint`](crate::Schema::lint).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name under which tools can refer to the rule; it does not change.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// What breaks the rule, in a sentence.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// How bad it is when the rule is broken.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// Why the rule is there.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)+ }
            }
        }
    };
}

rules! {
    /// A table of the schema that the declaration does not mention.
    UndeclaredTable, "undeclared-table", Error, "nobody said whose rows these are, so nothing protects them";
    /// A declared table that does not exist, or that cannot be protected as declared.
    UnprotectableTable, "unprotectable-table", Error, "it is not there, or not of a kind that the declaration can protect";
    /// Row-level security is off.
    SecurityDisabled, "rls-disabled", Error, "policies do nothing until row-level security is enabled";
    /// Row-level security does not bind the owner.
    SecurityNotForced, "rls-not-forced", Error, "without FORCE the owner's statements, views and functions see every tenant";
    /// The restrictive tenant policy is missing or says something else.
    TenantPolicy, "tenant-policy", Error, "only the restrictive policy keeps other policies from widening the table";
    /// A restrictive policy that the application declared is missing, or was changed since.
    RowPolicy, "row-policy", Error, "whoever it held back within the tenant sees or changes more rows";
    /// The permissive policy is missing or is for other roles.
    AccessPolicy, "access-policy", Warning, "the application reaches no rows, or more roles than declared do";
    /// The application or the reader is superuser, may bypass row-level security, or is a member of a role that may.
    RoleBypasses, "role-bypasses", Error, "row-level security does not bind this role";
    /// A declared role does not exist.
    RoleMissing, "role-missing", Error, "the declared separation of roles is not there";
    /// An owner can log in.
    OwnerLogin, "owner-login", Warning, "whoever logs in as the owner can switch row-level security off";
    /// A table belongs to somebody other than the declared owner.
    WrongOwner, "wrong-owner", Error, "a table's owner can switch row-level security off";
    /// A privilege that is not declared, on a declared table.
    ExcessPrivilege, "excess-privilege", Error, "the role may do more with the table than declared; TRUNCATE ignores row-level security";
    /// A role other than the owner may create objects in the schema.
    SchemaCreate, "schema-create", Error, "a copy or a function made in the schema is under no policy";
    /// The tenant's context is missing or is read in a way that this version does not know.
    ContextView, "context-view", Error, "every policy compares with this view, so whoever defines it chooses the tenant";
    /// New sessions start with a tenant.
    ContextPreset, "context-preset", Error, "a session that sets no tenant should have none";
    /// A guard's trigger or function is missing, switched off or altered.
    GuardBroken, "guard-broken", Error, "the append-only or period guard does not hold";
    /// A restrictive policy, of somebody else, on a periods table.
    PeriodsHidden, "periods-hidden", Error, "the period guard takes a closed period that it cannot see for an open one";
    /// A declared parent without the foreign key that carries the tenant.
    ParentKeyMissing, "parent-key-missing", Error, "foreign keys are checked past policies, so a row can hang from another tenant's";
    /// The server is older than the release that fixed leaks past policies.
    ServerVersion, "server-version", Error, "earlier releases leak rows or statistics past policies (CVE-2024-10976, CVE-2025-8713)";
    /// A policy of somebody else that lets every row through.
    OpenPolicy, "open-policy", Warning, "only the restrictive tenant policy stands between this policy and every tenant's rows";
    /// A policy for writes without `WITH CHECK`.
    PolicyWithoutCheck, "policy-without-check", Warning, "what may be written is then whatever may be read, which nobody wrote down";
    /// A policy that calls `current_setting` for each row.
    BareSetting, "bare-setting", Notice, "the setting is read again for each row; a sub-select reads it once";
    /// A view over a tenant table without `security_invoker`.
    DefinerView, "definer-view", Warning, "it reads with its owner's rights, and policies for its owner";
    /// A materialised view over a tenant table.
    MaterializedView, "materialized-view", Warning, "it holds rows of every tenant it was filled with, and cannot have policies";
    /// A `SECURITY DEFINER` function without a fixed search path.
    DefinerSearchPath, "definer-search-path", Warning, "whoever calls it chooses which objects its names mean";
    /// A unique key without the tenant.
    UniqueWithoutTenant, "unique-without-tenant", Notice, "a refused value tells that another tenant has it";
    /// A foreign key between tenant tables without the tenant.
    ForeignKeyWithoutTenant, "foreign-key-without-tenant", Warning, "foreign keys are checked past policies, so a row can hang from another tenant's";
    /// No index begins with the tenant.
    TenantNotIndexed, "tenant-not-indexed", Notice, "every statement filters by tenant, and this one reads all of them";
    /// The tenant column may be null.
    TenantNullable, "tenant-nullable", Notice, "a row without a tenant is invisible to everybody";
    /// `PUBLIC` may call `set_config`.
    SetConfig, "set-config", Notice, "an injected SELECT can choose the tenant";
    /// `PUBLIC` may create temporary tables.
    TempTables, "temp-tables", Notice, "a temporary table outlives its tenant on a pooled connection";
    /// The application or the reader may create roles, create databases or replicate.
    RoleAttributes, "role-attributes", Error, "a replication connection reads every tenant's rows, and who makes roles makes its own rights";
    /// A declared privilege that the role does not hold.
    PrivilegeMissing, "privilege-missing", Warning, "the application is refused what it was declared to do";
    /// An index of a tenant table that no condition of the application can use.
    LeakyIndex, "leaky-index", Notice, "below a policy only leakproof conditions use an index; this one reads every row of the tenant";
    /// A frequent statement whose condition cannot use an index below a policy.
    LeakyPredicate, "leaky-predicate", Notice, "below a policy only leakproof conditions use an index; this statement reads every row of the tenant";
    /// A policy that calls an `IMMUTABLE` function which is not.
    ImmutablePolicy, "immutable-policy", Warning, "a cached plan keeps the first tenant's answer for the next one";
    /// A policy that calls a `VOLATILE` or parallel-unsafe function.
    PolicyFunction, "policy-function", Notice, "the function is called for each row, without an index or a parallel plan";
    /// A policy that lets rows through when there is no context.
    FailOpenPolicy, "fail-open-policy", Warning, "a connection that forgot its tenant sees more instead of nothing";
    /// A policy that converts the tenant column or looks the tenant up in another table.
    SlowPolicy, "slow-policy", Notice, "no index on the tenant serves it, so each statement reads the whole table";
    /// A sequence whose position the application or everybody can read or set.
    SequenceReadable, "sequence-readable", Notice, "its numbers tell the volume of all tenants together";
    /// A tenant table in a publication.
    Published, "published", Warning, "subscribers get the rows of every tenant, and no policy goes along";
    /// Large objects that the application can read.
    LargeObjects, "large-objects", Warning, "a large object has no tenant, and no policy binds it";
    /// An extension that reaches other connections, pages, files or statements, executable by the application.
    ReachingExtension, "reaching-extension", Warning, "its functions read past policies or as another session";
    /// A foreign server or table within the application's reach.
    ForeignServer, "foreign-server", Warning, "what lies behind it is under no policy of this database";
    /// Default privileges that hand new tables to the application or to everybody.
    DefaultPrivileges, "default-privileges", Warning, "a new table is readable before anybody declares it";
    /// No login may read past `FORCE` for a backup.
    NoBackupRole, "no-backup-role", Notice, "pg_dump fails for the owner under FORCE, and a backup as superuser is one more superuser";
    /// A trigger or a foreign key that is switched off.
    TriggerDisabled, "trigger-disabled", Warning, "what it checked is checked no more";
    /// A refusing trigger that is not `ENABLE ALWAYS`.
    TriggerNotAlways, "trigger-not-always", Notice, "a session that calls itself a replica walks past it";
    /// A session of a role that row-level security does not bind.
    PrivilegedSession, "privileged-session", Warning, "somebody works as a role that sees every tenant, or that could";
    /// A `SECURITY DEFINER` function of a superuser or a role with `BYPASSRLS`, executable by the application.
    DefinerBypasses, "definer-bypasses", Warning, "whoever calls it sees every tenant through it";
    /// `PUBLIC` may see what other sessions are running.
    SessionActivity, "session-activity", Notice, "a session can read the statements, and so the context, of others of its role";
    /// `PUBLIC` may make and read large objects.
    LargeObjectFunctions, "large-object-functions", Notice, "a large object has no tenant, so what one stores there all can read";
    /// `PUBLIC` may do something in schema `public`.
    PublicSchema, "public-schema", Notice, "what is planted there is found by whoever's search path looks there";
    /// `PUBLIC` may call `pg_notify`.
    NotifyFunction, "notify-function", Notice, "an injected SELECT can send rows to another tenant's listener";
    /// `PUBLIC` may end other sessions of its role.
    SignalFunctions, "signal-functions", Notice, "an injected SELECT can end the sessions of other tenants";
    /// A role outside the declaration with privileges that no policy binds.
    StrangerPrivilege, "stranger-privilege", Warning, "TRUNCATE, REFERENCES, TRIGGER and MAINTAIN are not subject to policies";
    /// The application or the reader owns something.
    RoleOwns, "role-owns", Warning, "an owner may alter, grant and drop what it owns, policies included";
    /// A place outside the schema where the application may create objects.
    OpenSchema, "open-schema", Warning, "a copy or a function made there is under no policy, and a search path may find it";
    /// A tenant table that is not written to the log.
    UnloggedTable, "unlogged-table", Warning, "a crash empties it, and no standby or archive has it";
    /// A constraint of a tenant table that is not validated.
    NotValidated, "not-validated", Warning, "rows that were there before may belong to another tenant's parent";
    /// A rewrite rule on a tenant table.
    TableRule, "table-rule", Warning, "its statements run with the table owner's rights";
    /// An exempt table that the application may use, or a shared one with a tenant column.
    ReachableUnprotected, "reachable-unprotected", Notice, "no policy protects its rows, whoever's they are";
    /// A function marked `LEAKPROOF` that is not PostgreSQL's own.
    LeakproofFunction, "leakproof-function", Warning, "PostgreSQL runs it on rows that the policy has not let through yet";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
