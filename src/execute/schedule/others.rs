//! What this command knows of other processes that train its runs.

use std::time::Duration;

/// Between looks at runs that another process may be at.
const LOOK: Duration = Duration::from_millis(500);
/// A process that was seen may be between two runs for this long.
const BETWEEN: Duration = Duration::from_secs(2);

/// When other processes were looked for, and seen.
pub(in crate::execute) struct Others<'a> {
    /// Time since any fixed moment.
    now: &'a dyn Fn() -> Duration,
    looked: Duration,
    seen: Option<Duration>,
}

impl<'a> Others<'a> {
    /// None seen so far.
    pub fn new(now: &'a dyn Fn() -> Duration) -> Self {
        Self { now, looked: now(), seen: None }
    }

    /// Whether it is time for another look; if so, the time until the next begins.
    pub fn is_due(&mut self) -> bool {
        let now = (self.now)();
        let due = now - self.looked >= LOOK;
        if due {
            self.looked = now;
        }
        due
    }

    /// One was seen at a run.
    pub fn saw_one(&mut self) {
        self.seen = Some((self.now)());
    }

    /// Whether one was ever seen: only then can others have changed anything.
    pub fn were_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether one that was seen may only be between two runs.
    pub fn may_be_between_runs(&self) -> bool {
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
        let mut others = Others::new(&now);
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
    fn a_process_that_was_seen_may_return_within_two_seconds() {
        let clock = Cell::new(0);
        let now = || Duration::from_millis(clock.get());
        let mut others = Others::new(&now);
        assert!(!others.were_seen() && !others.may_be_between_runs());
        clock.set(1000);
        others.saw_one();
        for (at, between) in [(1000, true), (3000, true), (3001, false)] {
            clock.set(at);
            assert_eq!((others.were_seen(), others.may_be_between_runs()), (true, between), "{at} ms");
        }
        others.saw_one();
        assert!(others.may_be_between_runs());
    }
}
