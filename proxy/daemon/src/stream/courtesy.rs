//! When a connection is read on: who sends more than is handled lets the others go first.

use crate::limits::{STREAM_BACKLOG, STREAM_PAUSES, STREAM_SHARE};

/// Whether one read has brought so many messages that it matters what waits.
pub(super) const fn has_had_its_share(messages: usize) -> bool {
    messages > STREAM_SHARE
}

/// Whether such a connection is read on: little waits for its shard, or it has been left alone for long enough. A shard
/// may be behind because of others, and then nobody is to starve.
pub(super) const fn may_read_on(waiting: usize, pauses: usize) -> bool {
    waiting < STREAM_BACKLOG || pauses >= STREAM_PAUSES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STREAM_PAUSE;
    use std::time::Duration;

    /// Pauses until a connection is read on, where a shard has so many before it and handles so many in each pause.
    fn pauses(waiting: usize, handled: usize) -> usize {
        let after = |pauses: usize| waiting.saturating_sub(pauses * handled);
        (0..).find(|n| may_read_on(after(*n), *n)).unwrap_or(usize::MAX)
    }

    #[test]
    fn messages_that_come_one_by_one_never_wait_and_sixteen_kilobytes_of_them_do_while_much_waits() {
        assert!(!has_had_its_share(1) && !has_had_its_share(STREAM_SHARE));
        assert!(has_had_its_share(STREAM_SHARE + 1));
        assert_eq!(pauses(STREAM_BACKLOG - 1, 0), 0, "little waits");
        assert_eq!(pauses(STREAM_BACKLOG, 1), 1);
        assert_eq!(pauses(1_000, 100), 10, "as soon as it is worked off, and no later");
    }

    #[test]
    fn a_shard_that_is_behind_for_ever_starves_nobody() {
        assert_eq!(pauses(usize::MAX, 0), STREAM_PAUSES);
        let longest = STREAM_PAUSE * u32::try_from(STREAM_PAUSES).unwrap();
        assert!(longest <= Duration::from_millis(50), "{longest:?}");
    }
}
