//! Keeps track of other processes that train runs of this command.

use std::time::Duration;

/// Interval at which runs are checked for other processes.
const LOOK: Duration = Duration::from_millis(500);
/// How long a process that was seen can be between two runs.
const BETWEEN: Duration = Duration::from_secs(2);

/// When other processes were last looked for and seen.
pub(in crate::execute) struct OtherProcesses<'a> {
    /// Clock: the time since any fixed moment.
    now: &'a dyn Fn() -> Duration,
    looked: Duration,
    seen: Option<Duration>,
}

impl<'a> OtherProcesses<'a> {
    /// No process seen so far.
    pub fn new(now: &'a dyn Fn() -> Duration) -> Self {
        Self { now, looked: now(), seen: None }
    }

    /// Whether the next check is due; if so, the interval starts again.
    pub fn is_due(&mut self) -> bool {
        let now = (self.now)();
        let due = now - self.looked >= LOOK;
        if due {
            self.looked = now;
        }
        due
    }

    /// Another process was seen that holds the lock of a run.
    pub fn saw_one(&mut self) {
        self.seen = Some((self.now)());
    }

    /// Whether another process was ever seen: only then can others have changed anything.
    pub fn were_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether a process that was seen can be between two runs.
    pub fn can_be_between_runs(&self) -> bool {
        self.seen.is_some_and(|seen| (self.now)() - seen <= BETWEEN)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn looks_are_half_a_second_apart() {
        let clock = Cell::new(7000);
        let now = || Duration::from_millis(clock.get());
        let mut others = OtherProcesses::new(&now);
        let mut due = |at: u64| {
            clock.set(at);
            others.is_due()
        };
        assert_eq!(
            [7000, 7499, 7500, 7501, 7999, 8000, 9999, 10000].map(&mut due),
            [false, false, true, false, false, true, true, false]
        );
    }

    #[test]
    fn a_process_that_was_seen_can_return_within_two_seconds() {
        let clock = Cell::new(0);
        let now = || Duration::from_millis(clock.get());
        let mut others = OtherProcesses::new(&now);
        assert!(!others.were_seen() && !others.can_be_between_runs());
        clock.set(1000);
        others.saw_one();
        for (at, between) in [(1000, true), (3000, true), (3001, false)] {
            clock.set(at);
            assert_eq!((others.were_seen(), others.can_be_between_runs()), (true, between), "{at} ms");
        }
        others.saw_one();
        assert!(others.can_be_between_runs());
    }
}
