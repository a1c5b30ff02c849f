//! What ends a drill before its time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A condition: `dropped>0`, `gap_conversation_ms>600`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// What is measured.
    pub measure: Measure,
    /// Above which it is too much.
    pub above: u32,
}

/// What a drill measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Calls that ended by it.
    Dropped,
    /// Moves that failed, whether the call ended or not.
    Failed,
    /// The longest time that a carrier heard nothing at all, in milliseconds.
    GapMedia,
    /// The longest time that a carrier heard nobody.
    GapConversation,
}

impl Measure {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Dropped, "dropped"),
        (Self::Failed, "failed"),
        (Self::GapMedia, "gap_media_ms"),
        (Self::GapConversation, "gap_conversation_ms"),
    ];
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let known: Vec<_> = Measure::ALL.iter().map(|(_, name)| *name).collect();
            format!("`{text}` is no condition: write one such as dropped>0, with {}", known.join(", "))
        };
        let (name, above) = text.split_once('>').ok_or_else(wrong)?;
        let known = Measure::ALL.iter().find(|(_, known)| *known == name.trim());
        let (measure, _) = known.ok_or_else(wrong)?;
        Ok(Self { measure: *measure, above: above.trim().parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Measure::ALL.iter().find(|(measure, _)| *measure == self.measure).map_or("", |(_, n)| n);
        write!(f, "{name}>{}", self.above)
    }
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_written_as_they_are_read() {
        for text in ["dropped>0", "failed>3", "gap_media_ms>200", "gap_conversation_ms>600"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for wrong in ["dropped", "dropped>", "dropped>-1", "droped>0", ">0", "dropped<1"] {
            assert!(wrong.parse::<Condition>().unwrap_err().contains("dropped>0"), "{wrong}");
        }
    }
}
