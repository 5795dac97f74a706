//! What a table leaves out.

use crate::store::RunState;

/// That so many more trials have one state: `… and 4 more, all pruned`.
pub fn all_in(n: usize, state: RunState) -> String {
    let all = if n == 1 { "" } else { "all " };
    format!("… and {n} more, {all}{}", state.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_trials_of_one_state_are_counted_once() {
        assert_eq!(
            [all_in(1, RunState::Pruned), all_in(4, RunState::Pending)],
            ["… and 1 more, pruned", "… and 4 more, all pending"]
        );
    }
}
