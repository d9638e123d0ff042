//! File descriptors. A connection takes one, and who opened more connections than the process has descriptors would keep
//! every database from being opened.

use crate::config::Connections;
use trunkline_core::limits::DESCRIPTORS_RESERVED;

/// Lets this process have as many descriptors as it may: the soft limit becomes the hard one, where there are such limits.
pub fn raise_descriptors() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Some systems refuse what is above a bound of their own, which is this one at least.
        const SURE: u64 = 10_240;
        for current in [limit.maximum, Some(SURE)] {
            let is_more = limit
                .current
                .is_some_and(|now| current.is_none_or(|new| new > now));
            let raised = Rlimit { current, ..limit };
            if !is_more || setrlimit(Resource::Nofile, raised).is_ok() {
                return;
            }
        }
    }
}

/// How many descriptors this process may have; `None` without a bound.
fn limit() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// How many connections the descriptors suffice for.
pub(crate) struct Descriptors {
    connections_most: usize,
    /// The setting that was last found to be more.
    told: usize,
}

impl Descriptors {
    /// Of this process, beside so many databases.
    pub(crate) fn of_process(open_databases: usize) -> Descriptors {
        Descriptors::new(limit(), open_databases)
    }

    fn new(limit: Option<u64>, open_databases: usize) -> Descriptors {
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let left = limit.saturating_sub(open_databases.saturating_add(DESCRIPTORS_RESERVED));
        Descriptors {
            // Fewer would serve nobody.
            connections_most: left.max(limit / 4),
            told: 0,
        }
    }

    /// The settings, with no more connections than there are descriptors for; one address keeps its share of them.
    pub(crate) fn hold(&mut self, mut settings: Connections) -> Connections {
        let (set, most) = (settings.connections_max, self.connections_most);
        if set <= most {
            return settings;
        }
        if self.told != set {
            self.told = set;
            tracing::warn!(
                "`connections_max` is {set}, but {most} are let in at once: the process may have too few file descriptors \
                 for more beside its databases (ulimit -n, or systemd's LimitNOFILE=)"
            );
        }
        let per_address = settings.connections_per_address_max as u128 * most as u128 / set as u128;
        settings.connections_per_address_max = usize::try_from(per_address).unwrap_or(usize::MAX).max(1);
        settings.connections_max = most;
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_databases() {
        let settings = Connections::default();
        for (limit, open_databases, most, per_address) in [
            (None, 256, 10_000, 1000),
            (Some(u64::MAX), 256, 10_000, 1000),
            (Some(20_000), 256, 10_000, 1000),
            (Some(1024), 256, 1024 - 256 - DESCRIPTORS_RESERVED, 51),
            (Some(1024), 100_000, 256, 25),
            (Some(8), 256, 2, 1),
        ] {
            let mut descriptors = Descriptors::new(limit, open_databases);
            let held = descriptors.hold(settings.clone());
            assert_eq!(
                (held.connections_max, held.connections_per_address_max),
                (most, per_address),
                "{limit:?}"
            );
            let is_told = descriptors.told == settings.connections_max;
            assert_eq!(is_told, most < settings.connections_max, "{limit:?}");
        }
    }
}
