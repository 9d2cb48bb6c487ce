//! How much housekeeping removed.

/// Counts of removed rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Pending sign-ins that were abandoned.
    pub flows: u64,
    /// Buckets of attempts that would be forgotten anyway.
    pub attempts: u64,
    /// Used or expired resets and changes of identifier.
    pub tokens: u64,
    /// Sessions that ended.
    pub sessions: u64,
    /// Networks that nobody signs in from any more.
    pub networks: u64,
    /// Impersonations that ended.
    pub impersonations: u64,
    /// Connections that ended.
    pub connections: u64,
}

impl Swept {
    /// For implementors of [`Store`](crate::Store).
    #[must_use]
    pub const fn new(flows: u64, attempts: u64, tokens: u64, sessions: u64, networks: u64) -> Self {
        Self { flows, attempts, tokens, sessions, networks, impersonations: 0, connections: 0 }
    }

    /// The same with what staff and programs left behind.
    #[must_use]
    pub const fn and(self, impersonations: u64, connections: u64) -> Self {
        Self { impersonations, connections, ..self }
    }

    pub(crate) fn most(&self) -> u64 {
        let others = self.impersonations.max(self.connections);
        [self.flows, self.attempts, self.tokens, self.sessions, self.networks]
            .into_iter()
            .max()
            .unwrap_or(0)
            .max(others)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.flows += other.flows;
        self.attempts += other.attempts;
        self.tokens += other.tokens;
        self.sessions += other.sessions;
        self.networks += other.networks;
        self.impersonations += other.impersonations;
        self.connections += other.connections;
    }
}
