//! From events to rows, on a thread of its own.

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

/// Longest time that an event waits for others to share its transaction.
const LINGER: Duration = Duration::from_millis(200);
/// Events of one transaction at most.
const BATCH: usize = 256;
/// Events that may wait in all; beyond that training waits for the disk.
const CAPACITY: usize = 4 * BATCH;

/// Puts events into the store without making the trainer wait for the disk.
///
/// Events gather for up to 200 ms or 256 of them and are written in one transaction. Evaluations, checkpoints (before
/// and after) and the end of a run are written at once, with all that came before them, and are durable when
/// [`Recorder::record`] returns. A write that fails ends the recording: the error is given back by every later call.
#[derive(Debug)]
pub struct Recorder {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<Arc<StoreError>>>,
}

#[derive(Debug)]
enum Message {
    Record(String, Event),
    /// Write what came so far, then answer.
    Flush(SyncSender<()>),
}

impl Recorder {
    /// A recorder that writes to `store`.
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

    /// Takes an event of the run `key`.
    ///
    /// # Errors
    /// The first write that failed, of this event or an earlier one.
    pub fn record(&mut self, key: &str, event: &Event) -> Result<(), ObserveError> {
        self.check()?;
        if matches!(event, Event::EvalProgress { .. }) {
            return Ok(());
        }
        self.send(Message::Record(key.into(), event.clone()))?;
        let at_once = matches!(
            event,
            Event::EvalCompleted { .. }
                | Event::CheckpointStarted { .. }
                | Event::CheckpointSaved { .. }
                | Event::RunFinished(_)
        );
        if at_once { self.flush() } else { Ok(()) }
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
        let _ = self.end(); // Who wants to know of a failure calls `close`.
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

/// The thread: gathers, writes, answers; until every sender is gone.
fn work(mut store: Store, receiver: &Receiver<Message>, failure: &OnceLock<Arc<StoreError>>) {
    let mut open = true;
    while open {
        let (batch, waiting);
        (batch, waiting, open) = gather(receiver);
        // After a failure nothing more is written: the log may end early, but it has no holes.
        if failure.get().is_none() {
            let result = batch.iter().try_for_each(|(key, events)| store.append(key, events));
            if let Err(error) = result {
                let _ = failure.set(Arc::new(error));
            }
        }
        if let Some(waiting) = waiting {
            let _ = waiting.send(());
        }
    }
}

/// The events of the next transactions by run, who waits for them, and whether more may come.
fn gather(receiver: &Receiver<Message>) -> (Vec<(String, Vec<Event>)>, Option<SyncSender<()>>, bool) {
    let mut batch: Vec<(String, Vec<Event>)> = Vec::new();
    let mut deadline = None;
    for _ in 0..BATCH {
        let message = match deadline {
            None => receiver.recv().map_err(RecvTimeoutError::from),
            Some(deadline) => receiver.recv_timeout(Instant::saturating_duration_since(&deadline, Instant::now())),
        };
        match message {
            Ok(Message::Record(key, event)) => match batch.iter_mut().find(|(k, _)| *k == key) {
                Some((_, events)) => events.push(event),
                None => batch.push((key, vec![event])),
            },
            Ok(Message::Flush(waiting)) => return (batch, Some(waiting), true),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return (batch, None, false),
        }
        deadline = deadline.or_else(|| Some(Instant::now() + LINGER));
    }
    (batch, None, true)
}
