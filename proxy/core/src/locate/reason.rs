//! Why a name is not simply known.

/// Why a name has no addresses, or keeps those that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocateReason {
    /// No answer has come yet.
    NotAsked,
    /// No server answered in time.
    Timeout,
    /// The servers would not say (SERVFAIL, REFUSED and the like), or could not be reached.
    ServerFailed,
    /// An answer that nobody can read.
    Malformed,
    /// Aliases that lead to each other, or on and on.
    AliasLoop,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists, without such records, or without an address that this listener could reach.
    NoData,
    /// An SRV record says that there is no such service (RFC 2782: a target of ".").
    NotOffered,
    /// It was known by NAPTR or SRV records, and these are gone.
    RecordsGone,
    /// The servers were silent for longer than what was known is believed.
    StaleTooLong,
}

impl LocateReason {
    /// Every value.
    pub const ALL: &'static [Self] = &[
        Self::NotAsked,
        Self::Timeout,
        Self::ServerFailed,
        Self::Malformed,
        Self::AliasLoop,
        Self::NoSuchName,
        Self::NoData,
        Self::NotOffered,
        Self::RecordsGone,
        Self::StaleTooLong,
    ];

    /// The word for logs, metric labels and operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Timeout => "timeout",
            Self::ServerFailed => "server_failed",
            Self::Malformed => "malformed",
            Self::AliasLoop => "alias_loop",
            Self::NoSuchName => "no_such_name",
            Self::NoData => "no_data",
            Self::NotOffered => "not_offered",
            Self::RecordsGone => "records_gone",
            Self::StaleTooLong => "stale_too_long",
        }
    }
}
