//! How many refusals the audit log lists. Whoever asks for nothing but refusals would fill the disk with them otherwise:
//! of one client some are listed, and the others of the same seconds are summed up in one line.

use super::TARGET;
use crate::addresses::network;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;
use trunkline_core::limits::{
    REFUSAL_CHARS_NOTED, REFUSALS_CLIENTS_MAX, REFUSALS_COUNTED_MS, REFUSALS_LISTED_MAX,
};

/// The refusals of these seconds, of all servers of the process: they have one log.
static REFUSED: Mutex<Refused> = Mutex::new(Refused {
    until: None,
    is_timed: false,
    counts: None,
});

/// Whose refusals are counted together: a user's, who has proved a name, or an address's.
type Client = (Option<String>, Option<IpAddr>);

struct Refused {
    until: Option<Instant>,
    /// Whether a task waits for the end.
    is_timed: bool,
    counts: Option<HashMap<Client, u64>>,
}

/// Whether a line is written of what was refused just now. `user` is a name that was proved: others do not take the
/// lines of whom they pretend to be.
pub(crate) fn is_listed(user: Option<&str>, address: Option<IpAddr>) -> bool {
    let client = match user {
        Some(user) => (Some(user.to_owned()), None),
        None => (None, address.map(network)),
    };
    let now = Instant::now();
    let mut refused = REFUSED.lock();
    let ended = refused.end(now);
    let is_listed = refused.count(client, now);
    let timed = (!is_listed && !refused.is_timed)
        .then_some(refused.until)
        .flatten();
    if let (Some(until), Ok(runtime)) = (timed, Handle::try_current()) {
        refused.is_timed = true;
        runtime.spawn(async move {
            tokio::time::sleep_until(until).await;
            let ended = REFUSED.lock().end(Instant::now());
            sum_up(ended);
        });
    }
    drop(refused);
    sum_up(ended);
    is_listed
}

/// As much of a path or a reason as the log shows: their lengths are chosen by those who are refused.
pub(crate) fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(REFUSAL_CHARS_NOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

impl Refused {
    /// Counts one more, and answers whether it is listed.
    fn count(&mut self, client: Client, now: Instant) -> bool {
        let until = now + Duration::from_millis(REFUSALS_COUNTED_MS);
        self.until.get_or_insert(until);
        let counts = self.counts.get_or_insert_default();
        let is_counted = counts.len() < REFUSALS_CLIENTS_MAX || counts.contains_key(&client);
        let count = counts.entry(if is_counted { client } else { (None, None) });
        let count = count.or_insert(0);
        *count += 1;
        *count <= REFUSALS_LISTED_MAX
    }

    /// What was counted, if its time is over.
    fn end(&mut self, now: Instant) -> HashMap<Client, u64> {
        if self.until.is_none_or(|until| now < until) {
            return HashMap::new();
        }
        (self.until, self.is_timed) = (None, false);
        self.counts.take().unwrap_or_default()
    }
}

fn sum_up(ended: HashMap<Client, u64>) {
    for ((user, address), count) in ended {
        if let Some(unlisted @ 1..) = count.checked_sub(REFUSALS_LISTED_MAX) {
            let address = address.map(tracing::field::display);
            tracing::warn!(target: TARGET, user, address, unlisted, "refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_counted_apart_and_in_bounded_memory() {
        let mut refused = Refused {
            until: None,
            is_timed: false,
            counts: None,
        };
        let now = Instant::now();
        let address = |n: usize| (None, Some(IpAddr::from((n as u32).to_be_bytes())));
        for count in 1..=REFUSALS_LISTED_MAX + 10 {
            assert_eq!(refused.count(address(1), now), count <= REFUSALS_LISTED_MAX);
            let user = (Some("anna".to_owned()), None);
            assert_eq!(refused.count(user, now), count <= REFUSALS_LISTED_MAX);
        }
        for n in 0..2 * REFUSALS_CLIENTS_MAX {
            refused.count(address(n), now);
        }
        let end = now + Duration::from_millis(REFUSALS_COUNTED_MS);
        assert!(refused.end(end - Duration::from_millis(1)).is_empty());
        let ended = refused.end(end);
        assert!(ended.len() <= REFUSALS_CLIENTS_MAX + 1);
        assert_eq!(ended[&address(1)], REFUSALS_LISTED_MAX + 11);
        assert!(refused.count(address(1), end));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(beginning("/db"), "/db");
        let long = "ü".repeat(REFUSAL_CHARS_NOTED);
        assert_eq!(beginning(&long), long);
        assert_eq!(beginning(&format!("{long}x")), format!("{long}…"));
    }
}
