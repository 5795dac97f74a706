//! The best run of a trial, in words.

use taper::{
    format,
    report::{Leaderboard, Trial},
};

use super::word;

/// The best run of the best trial: `best run: 1a2b3c4d5e6f (by dev accuracy, of 3 seeds)`. Folds have other test rows each: none is the best.
pub fn best_run(board: &Leaderboard, best: &Trial) -> Option<String> {
    let key = format::short(best.best_run.as_deref()?);
    if best.out_of_fold.is_some() {
        return None;
    }
    let by = format!("by {} {}", word(&board.split), best.best_run_by(board.metric).name());
    Some(match best.planned() {
        1 => format!("run: {key}"),
        n => format!("best run: {key} ({by}, of {n} {}s{})", best.replicate, among_equals(board, best)),
    })
}

/// Which of several runs with the best value is called the best one; empty if there is one.
fn among_equals(board: &Leaderboard, best: &Trial) -> String {
    let split = word(&board.split);
    match best.equal_best {
        (0 | 1, _) => String::new(),
        (equal, same_loss) if equal == same_loss => format!("; the first of {equal} tied runs"),
        (equal, 1) => format!("; among {equal} tied runs, the one with the lowest {split} loss"),
        (equal, same_loss) => {
            format!("; among {equal} tied runs, the first of the {same_loss} with the lowest {split} loss")
        }
    }
}
