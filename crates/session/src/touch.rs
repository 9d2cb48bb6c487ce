//! Whether a look counts as use.

/// Whether looking a session up counts as using it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Touch {
    /// It does. It is written at most once per min(60 s, idle/30).
    #[default]
    Throttled,
    /// It does not: for what a page asks by itself, which would keep a session alive that nobody sits at any more (ASVS 5.0, 7.3.1).
    Never,
}
