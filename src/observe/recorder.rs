//! Writes events into the store, on a separate thread.

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Listener, ObserveError, RunInfo};
use crate::{
    event::Event,
    store::{Store, StoreError},
};

/// The longest time that an event waits for others to share its transaction.
const LINGER: Duration = Duration::from_millis(200);
/// The most events in one transaction.
const BATCH: usize = 256;
/// The most events that may wait; beyond that training waits for the disk.
const CAPACITY: usize = 4 * BATCH;

/// Writes events into the store without blocking the trainer on the disk.
///
/// Events are collected for up to 200 ms, at most 256 of them, and written in one transaction. Evaluations, checkpoints (before
/// and after) and the end of a run are written at once, together with all earlier events, and are durable when
/// [`Recorder::record`] returns. After a failed write nothing more is recorded: every later call returns the error.
#[derive(Debug)]
pub struct Recorder {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<Arc<StoreError>>>,
}

#[derive(Debug)]
enum Message {
    Record(String, Event),
    /// Write everything received so far, then reply.
    Flush(SyncSender<()>),
}

impl Recorder {
    /// Creates a recorder that writes to `store`.
    pub fn new(store: Store) -> Result<Self, ObserveError> {
        let (sender, receiver) = mpsc::sync_channel(CAPACITY);
        let failure = Arc::default();
        let kept = Arc::clone(&failure);
        let thread = thread::Builder::new()
            .name("recorder".into())
            .spawn(move || work(store, &receiver, &kept))
            .map_err(ObserveError::Thread)?;
        Ok(Self { sender: Some(sender), thread: Some(thread), failure })
    }

    /// Records an event of the run `key`.
    ///
    /// # Errors
    /// The first write that failed, for this event or an earlier one.
    pub fn record(&mut self, key: &str, event: &Event) -> Result<(), ObserveError> {
        self.check()?;
        if matches!(event, Event::EvalProgress { .. }) {
            return Ok(());
        }
        self.send(Message::Record(key.into(), event.clone()))?;
        if event.is_awaited() { self.flush() } else { Ok(()) }
    }

    /// Returns when everything recorded so far is durable.
    pub fn flush(&mut self) -> Result<(), ObserveError> {
        let (written, wait) = mpsc::sync_channel(1);
        self.send(Message::Flush(written))?;
        let answer = wait.recv();
        self.check()?;
        answer.map_err(|_| ObserveError::Gone)
    }

    /// Writes what is left and ends the thread.
    pub fn close(mut self) -> Result<(), ObserveError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ObserveError> {
        self.sender = None;
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        self.check()?;
        ended.map_err(|_| ObserveError::Gone)
    }

    fn send(&mut self, message: Message) -> Result<(), ObserveError> {
        self.sender.as_ref().and_then(|sender| sender.send(message).ok()).ok_or(ObserveError::Gone)
    }

    fn check(&self) -> Result<(), ObserveError> {
        self.failure.get().map_or(Ok(()), |error| Err(ObserveError::Store(Arc::clone(error))))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.end(); // Callers that need the error use `close`.
    }
}

impl Listener for Recorder {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        self.record(&run.key, event)
    }

    fn finish(&mut self) -> Result<(), ObserveError> {
        self.end()
    }
}

/// The next transaction.
struct Batch {
    /// Events by run.
    runs: Vec<(String, Vec<Event>)>,
    /// Callers that wait for it.
    waiting: Option<SyncSender<()>>,
    /// Whether it is the last.
    last: bool,
}

/// The thread: collects, writes and replies until every sender is dropped.
fn work(mut store: Store, receiver: &Receiver<Message>, failure: &OnceLock<Arc<StoreError>>) {
    loop {
        let batch = gather(receiver);
        // After a failure nothing more is written: the record may end early, but it has no gaps.
        if failure.get().is_none() {
            let result = batch.runs.iter().try_for_each(|(key, events)| store.append(key, events));
            if let Err(error) = result {
                let _ = failure.set(Arc::new(error));
            }
        }
        if let Some(waiting) = batch.waiting {
            let _ = waiting.send(()); // The receiver may be gone.
        }
        if batch.last {
            return;
        }
    }
}

/// Waits for an event, then for others to share its transaction.
fn gather(receiver: &Receiver<Message>) -> Batch {
    let mut batch = Batch { runs: Vec::new(), waiting: None, last: false };
    let mut deadline: Option<Instant> = None;
    for _ in 0..BATCH {
        let message = match deadline {
            None => receiver.recv().map_err(RecvTimeoutError::from),
            Some(deadline) => receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Message::Record(key, event)) => match batch.runs.iter_mut().find(|(k, _)| *k == key) {
                Some((_, events)) => events.push(event),
                None => batch.runs.push((key, vec![event])),
            },
            Ok(Message::Flush(waiting)) => {
                batch.waiting = Some(waiting);
                break;
            }
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => {
                batch.last = true;
                break;
            }
        }
        deadline = deadline.or_else(|| Some(Instant::now() + LINGER));
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        event::{FailureKind, Outcome, Split, When},
        store::{
            RunState,
            testing::{eval, probe, refuse_rows, register, step, store_with_run},
        },
    };

    fn steps(folder: &Path) -> usize {
        Store::open_existing(folder).unwrap().steps("k").unwrap().len()
    }

    /// A recorder whose store refuses probes.
    fn broken(folder: &Path) -> Recorder {
        let store = store_with_run(folder);
        refuse_rows(folder, "probes");
        Recorder::new(store).unwrap()
    }

    fn bad() -> Event {
        Event::ProbesScored { when: When::Before, step: 0, scores: vec![probe(0, 0.5)] }
    }

    #[test]
    fn important_events_are_durable_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::new(store_with_run(folder.path())).unwrap();
        let at_once = [
            eval(When::During, 1, Split::Dev, 1),
            Event::CheckpointStarted { step: 2 },
            Event::CheckpointSaved { step: 3 },
            Event::RunFinished(Outcome::Failed { kind: FailureKind::Error, message: "x".into() }),
        ];
        for (i, event) in at_once.iter().enumerate() {
            recorder.record("k", &step(i as u64 + 1, 1.0)).unwrap();
            recorder.record("k", event).unwrap();
            assert_eq!(steps(folder.path()), i + 1, "{event:?}");
        }
        let run = Store::open_existing(folder.path()).unwrap().run("k").unwrap();
        assert_eq!((run.state, run.checkpoint_step), (RunState::Failed, Some(3)));
        recorder.close().unwrap();
    }

    #[test]
    fn steps_are_collected_and_written_without_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::new(store_with_run(folder.path())).unwrap();
        let began = Instant::now();
        (1..=3).for_each(|i| recorder.record("k", &step(i, 1.0)).unwrap());
        let soon = steps(folder.path());
        if began.elapsed() < LINGER {
            assert_eq!(soon, 0, "written one by one");
        }
        while steps(folder.path()) < 3 {
            assert!(began.elapsed() < Duration::from_secs(10), "never written");
            thread::sleep(Duration::from_millis(10));
        }
        // A full batch does not wait.
        let began = Instant::now();
        (4..=3 + BATCH as u64).for_each(|i| recorder.record("k", &step(i, 1.0)).unwrap());
        while steps(folder.path()) < 3 + BATCH {
            assert!(began.elapsed() < Duration::from_secs(10), "never written");
        }
    }

    #[test]
    fn closing_and_dropping_write_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::new(store_with_run(folder.path())).unwrap();
        recorder.record("k", &step(1, 1.0)).unwrap();
        recorder.close().unwrap();
        assert_eq!(steps(folder.path()), 1);
        let mut recorder = Recorder::new(Store::open(folder.path()).unwrap()).unwrap();
        recorder.record("k", &step(2, 1.0)).unwrap();
        drop(recorder);
        assert_eq!(steps(folder.path()), 2);
    }

    #[test]
    fn events_of_runs_can_be_interleaved() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        register(&mut store, "l", "lr=2e-5");
        let mut recorder = Recorder::new(store).unwrap();
        for i in 1..=5 {
            recorder.record("k", &step(i, 1.0)).unwrap();
            recorder.record("l", &step(i, 2.0)).unwrap();
        }
        recorder.flush().unwrap();
        let store = Store::open_existing(folder.path()).unwrap();
        for (key, loss) in [("k", 1.0), ("l", 2.0)] {
            let stored: Vec<_> = store.steps(key).unwrap().iter().map(|s| (s.step, s.loss)).collect();
            assert_eq!(stored, [1, 2, 3, 4, 5].map(|i| (i, loss)));
        }
    }

    #[test]
    fn a_failed_write_stops_the_next_event_and_leaves_no_hole() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = broken(folder.path());
        recorder.record("k", &step(1, 1.0)).unwrap();
        recorder.flush().unwrap();
        recorder.record("k", &bad()).unwrap(); // its failure is not known yet
        let began = Instant::now();
        let mut at = 2;
        let error = loop {
            match recorder.record("k", &step(at, 1.0)) {
                Err(error) => break error,
                Ok(()) => at += 1,
            }
            assert!(began.elapsed() < Duration::from_secs(10), "the failure was not reported");
            thread::sleep(Duration::from_millis(20));
        };
        assert!(error.to_string().contains("could not be stored") && error.to_string().contains("refused"), "{error}");
        for event in [step(99, 1.0), Event::EvalProgress { split: Split::Dev, done: 0, total: 1 }] {
            assert!(matches!(recorder.record("k", &event), Err(ObserveError::Store(_))));
        }
        assert!(matches!(recorder.close(), Err(ObserveError::Store(_))));
        assert_eq!(steps(folder.path()), 1, "written after a failure");
    }

    #[test]
    fn a_failure_is_returned_by_flush_and_close() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = broken(folder.path());
        recorder.record("k", &bad()).unwrap();
        let finished = Event::RunFinished(Outcome::Completed);
        assert!(matches!(recorder.record("k", &finished), Err(ObserveError::Store(_))));
        let state = Store::open_existing(folder.path()).unwrap().run("k").unwrap().state;
        assert_eq!(state, RunState::Pending, "completed in spite of a lost measurement");

        let folder = tempfile::tempdir().unwrap();
        let mut recorder = broken(folder.path());
        recorder.record("k", &bad()).unwrap();
        assert!(matches!(recorder.close(), Err(ObserveError::Store(_))));
    }

    #[test]
    fn nothing_is_recorded_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::new(store_with_run(folder.path())).unwrap();
        recorder.finish().unwrap();
        assert!(matches!(recorder.record("k", &step(1, 1.0)), Err(ObserveError::Gone)));
    }
}
