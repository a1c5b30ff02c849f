//! The rules, by what they have to remember.

pub(crate) mod acks;
pub(crate) mod again;
pub(crate) mod clients;
pub(crate) mod dialogs;
pub(crate) mod offers;
pub(crate) mod reliable;
pub(crate) mod servers;
pub(crate) mod shape;

/// Whether a message is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It is.
    First,
    /// It was on the wire before.
    Again,
    /// It belongs to nothing that is known.
    Stray,
}

/// A method as a word that outlives its message.
pub(crate) fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "PRACK",
        "UPDATE",
        "INFO",
        "MESSAGE",
        "REFER",
        "NOTIFY",
        "SUBSCRIBE",
        "REGISTER",
        "PUBLISH",
    ];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("a request")
}
