//! Which failed runs are tried again, and how: a function of the failure and of earlier attempts.

use crate::{execute::DeviceChoice, format::counted};

/// Tokens below which a batch is not cut further when memory runs out.
const LEAST_MICRO_BATCH: usize = 64;

/// How often a run is tried again.
#[derive(Debug, Clone, Copy)]
pub(in crate::execute) struct RetryPolicy {
    /// Number of retries after a crash of its worker.
    pub retries: u32,
}

/// How a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum Failure {
    /// Memory ran out on this device while other runs used it. This happens once for each run: then it gets the device alone.
    OutOfMemoryBesideOthers(DeviceChoice),
    /// Memory ran out without other runs on the device.
    OutOfMemory(Batch),
    /// Its worker crashed.
    Crashed,
    /// An error that would occur again.
    Final,
}

/// How a run computes its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) struct Batch {
    /// `train.micro_batch_tokens`.
    pub micro_batch_tokens: usize,
    /// Number of tokens of the largest part into which this cuts its batches.
    pub largest_part: usize,
    /// Number of rows of a step.
    pub rows: usize,
}

/// The earlier attempts at a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::execute) struct Attempts {
    /// Number of retries after crashes of its worker.
    pub crashes: u32,
    /// Replaces `train.micro_batch_tokens` after memory ran out.
    pub micro_batch_tokens: Option<usize>,
}

/// The decision to try a run again at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::execute) struct Retry {
    /// Its attempts, including the next one.
    pub attempts: Attempts,
    /// The message for the user.
    pub note: String,
}

impl RetryPolicy {
    /// How a run that failed with this message is tried again; `None` if it is not.
    pub fn retry(&self, failure: Failure, message: &str, so_far: Attempts) -> Option<Retry> {
        let first_line = message.lines().next().unwrap_or_default();
        let (attempts, note) = match failure {
            Failure::OutOfMemoryBesideOthers(device) => {
                (so_far, format!("other runs were on {device} at the same time: retried alone"))
            }
            Failure::OutOfMemory(batch) => {
                let now = so_far.micro_batch_tokens.unwrap_or(batch.micro_batch_tokens).min(batch.largest_part);
                let half = now / 2;
                if half < LEAST_MICRO_BATCH {
                    return None;
                }
                let note = format!(
                    "continues with micro-batches of at most {half} tokens instead of {now}; the effective batch \
                     stays {}",
                    counted(batch.rows as u64, "row")
                );
                (Attempts { micro_batch_tokens: Some(half), ..so_far }, note)
            }
            Failure::Crashed if so_far.crashes < self.retries => {
                let crashes = so_far.crashes + 1;
                (Attempts { crashes, ..so_far }, format!("retried ({crashes} of {})", self.retries))
            }
            Failure::Crashed | Failure::Final => return None,
        };
        Some(Retry { attempts, note: format!("{first_line}; {note}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: RetryPolicy = RetryPolicy { retries: 2 };
    const BATCH: Batch = Batch { micro_batch_tokens: 1000, largest_part: 600, rows: 32 };

    fn after(crashes: u32, micro_batch_tokens: Option<usize>) -> Attempts {
        Attempts { crashes, micro_batch_tokens }
    }

    #[test]
    fn a_crash_is_tried_again_as_often_as_was_asked() {
        let crash =
            |policy: RetryPolicy, so_far| policy.retry(Failure::Crashed, "it died\nits last output:\nx", so_far);
        let retry = |crashes, tokens, note: &str| Some(Retry { attempts: after(crashes, tokens), note: note.into() });
        assert_eq!(crash(TWICE, after(0, None)), retry(1, None, "it died; retried (1 of 2)"));
        assert_eq!(crash(TWICE, after(1, Some(80))), retry(2, Some(80), "it died; retried (2 of 2)"));
        assert_eq!(crash(TWICE, after(2, None)), None);
        assert_eq!(crash(RetryPolicy { retries: 0 }, after(0, None)), None);
    }

    #[test]
    fn an_error_that_would_occur_again_is_final() {
        assert_eq!(TWICE.retry(Failure::Final, "no such file", Attempts::default()), None);
    }

    #[test]
    fn memory_that_others_took_changes_nothing_about_the_run() {
        // For any number of crashes, and also without retries.
        for (policy, so_far) in [(TWICE, after(2, Some(70))), (RetryPolicy { retries: 0 }, after(0, None))] {
            let failure = Failure::OutOfMemoryBesideOthers(DeviceChoice::Cuda(1));
            let note = "out of memory; other runs were on cuda:1 at the same time: retried alone".into();
            assert_eq!(policy.retry(failure, "out of memory", so_far), Some(Retry { attempts: so_far, note }));
        }
    }

    #[test]
    fn memory_that_ran_out_alone_halves_the_parts_of_a_batch() {
        let retry = |batch, so_far| TWICE.retry(Failure::OutOfMemory(batch), "out of memory\nmore", so_far);
        let first = retry(BATCH, after(2, None)).unwrap();
        assert_eq!(first.attempts, after(2, Some(300)), "half of the largest part there is");
        let want = "out of memory; continues with micro-batches of at most 300 tokens instead of 600; the effective \
                    batch stays 32 rows";
        assert_eq!(first.note, want);
        let second = retry(BATCH, first.attempts).unwrap();
        assert_eq!(second.attempts, after(2, Some(150)));
        assert!(second.note.contains("at most 150 tokens instead of 300"), "{}", second.note);
        let third = retry(BATCH, second.attempts).unwrap();
        assert_eq!(third.attempts, after(2, Some(75)));
        assert_eq!(retry(BATCH, third.attempts), None, "37 tokens are too few");
        let small = Batch { micro_batch_tokens: 128, ..BATCH };
        assert_eq!(retry(small, after(0, None)).unwrap().attempts, after(0, Some(64)));
        assert_eq!(retry(Batch { micro_batch_tokens: 127, ..BATCH }, after(0, None)), None);
        assert_eq!(retry(Batch { largest_part: 127, ..BATCH }, after(0, None)), None);
    }
}
