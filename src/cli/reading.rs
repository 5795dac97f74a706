//! Progress of reading and tokenising data: on a terminal a bar, once it takes a while.

use std::{
    io::{IsTerminal, stderr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use taper::{
    data::{self, Progress},
    format,
    observe::RowProgress,
};

/// What takes less time has no bar.
const A_WHILE: Duration = Duration::from_millis(300);

/// Shows reading and tokenising on standard error; nothing if `silent`.
pub fn listener(silent: bool) -> data::Listener {
    if silent || !stderr().is_terminal() {
        return data::silent();
    }
    let shown = Mutex::new(None);
    Arc::new(move |progress| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut shown, progress, A_WHILE);
    })
}

/// One piece of work.
struct Work {
    what: String,
    begin: Instant,
    bar: Option<RowProgress>,
}

/// Shows progress once its work has taken `a_while`.
fn take(shown: &mut Option<Work>, progress: Progress<'_>, a_while: Duration) {
    let (what, rows, share) = match progress {
        Progress::Ended => return *shown = None,
        Progress::Reading { file, rows, share } => (format!("reading {}", format::one_line(file)), rows, share),
        Progress::Vocabulary { rows, of } => {
            ("building the vocabulary".to_owned(), rows, rows as f64 / of.max(1) as f64)
        }
        Progress::Tokenizing { rows, of } => ("tokenising".to_owned(), rows, rows as f64 / of.max(1) as f64),
    };
    let work = match shown {
        Some(work) if work.what == what => work,
        other => other.insert(Work { what, begin: Instant::now(), bar: None }),
    };
    if work.begin.elapsed() >= a_while {
        let bar = work.bar.get_or_insert_with(|| RowProgress::of(&work.what, work.begin));
        bar.tell_share(rows, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_work_has_no_bar_and_each_piece_its_own() {
        let mut shown = None;
        let bar = |shown: &Option<Work>| shown.as_ref().map(|work| (work.what.clone(), work.bar.is_some()));
        take(&mut shown, Progress::Reading { file: "a.csv", rows: 1, share: 0.1 }, Duration::from_secs(3600));
        assert_eq!(bar(&shown), Some(("reading a.csv".into(), false)));
        take(&mut shown, Progress::Reading { file: "a.csv", rows: 2, share: 0.2 }, Duration::ZERO);
        assert_eq!(bar(&shown), Some(("reading a.csv".into(), true)));
        take(&mut shown, Progress::Ended, Duration::ZERO);
        assert_eq!(bar(&shown), None);
        take(&mut shown, Progress::Tokenizing { rows: 1, of: 2 }, Duration::ZERO);
        assert_eq!(bar(&shown), Some(("tokenising".into(), true)));
        take(&mut shown, Progress::Reading { file: "b.csv", rows: 1, share: 0.1 }, Duration::from_secs(3600));
        assert_eq!(bar(&shown), Some(("reading b.csv".into(), false)));
    }
}
