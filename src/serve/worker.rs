//! The one thread that owns a version of a model. It loads it, so that what computes never changes threads, and answers what is in its queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use super::{Happening, Limits, Listener, meters::ModelMeters, origin::Origin, queue::Queue};
use crate::{
    data::Encoded,
    execute::{Classifier, ExecuteError, TextReader},
    task::{Answer, Task},
};

/// What a model says of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The prediction, after temperature and thresholds.
    pub answer: Answer,
    /// The logits.
    pub logits: Vec<f32>,
}

/// The texts that wait for a worker.
pub type Texts = Queue<Encoded, Said>;

/// What is known of a loaded model.
pub struct Facts {
    /// From a text to its tokens.
    pub reader: TextReader,
    /// What it was trained to do.
    pub task: Task,
    /// Names of its labels, by id.
    pub labels: Vec<String>,
}

/// What a worker shares.
#[derive(Clone)]
pub struct Shared {
    /// Its texts.
    pub queue: Arc<Texts>,
    /// Set when it has failed for good.
    pub failed: Arc<AtomicBool>,
    /// What it counts.
    pub meters: Arc<ModelMeters>,
    /// Called when the worker fails.
    pub listener: Listener,
}

/// Starts a worker, and returns when it has loaded its model.
///
/// # Errors
/// If the model cannot be loaded, or the thread not be started.
pub fn start(origin: &Arc<Origin>, shared: Shared, limits: &Limits) -> Result<Facts, ExecuteError> {
    let (tell, told) = mpsc::channel();
    let (origin, most) = (origin.clone(), limits.batch_tokens);
    let thread = thread::Builder::new().name(format!("model {}", origin.name)).spawn(move || match (origin.load)() {
        Ok(model) => {
            let (reader, labels) = (model.reader().clone(), model.labels().to_vec());
            let _ = tell.send(Ok(Facts { reader, task: model.task(), labels }));
            work(model, &origin.name, &shared, most);
        }
        Err(error) => drop(tell.send(Err(error))),
    });
    let ended = || ExecuteError::Worker("the thread that loads it ended without an error message".into());
    thread.map_err(|e| ExecuteError::Worker(format!("its thread cannot be started: {}", crate::format::io(&e))))?;
    told.recv().unwrap_or_else(|_| Err(ended()))
}

/// Says that a worker has failed if it ends by a panic: then nobody answers any more.
struct Guard<'a> {
    name: &'a str,
    shared: &'a Shared,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.failed.store(true, Ordering::Relaxed);
            self.shared.queue.abandon();
            (self.shared.listener)(Happening::Failed { model: self.name.into() });
        }
    }
}

fn work(mut model: Classifier, name: &str, shared: &Shared, most: usize) {
    let guard = Guard { name, shared };
    while let Some(batch) = guard.shared.queue.take(most) {
        let began = Instant::now();
        let texts: Vec<&Encoded> = batch.iter().map(|(text, _)| text).collect();
        let tokens = texts.iter().map(|text| tokens(text)).sum();
        let answers = model.answers_to(&texts, &mut |_| {});
        // Counted before anybody has an answer.
        guard.shared.meters.batch(batch.len(), tokens, began.elapsed());
        match answers {
            Ok(answers) => {
                for ((_, slot), (answer, logits)) in batch.into_iter().zip(answers) {
                    slot.answer(Said { answer, logits });
                }
            }
            Err(error) => {
                let why = error.to_string();
                batch.into_iter().for_each(|(_, slot)| slot.fail(&why));
            }
        }
    }
}

/// Tokens that the model reads of a text, in all of its windows.
pub fn tokens(text: &Encoded) -> usize {
    text.windows().map(|window| window.tokens()).sum()
}
