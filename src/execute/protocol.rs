//! The messages between a command and its workers: a sequence of CBOR values over the worker's standard input and output. JSON has no
//! NaN and infinity, which a diverged loss can be.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::stored_progress::StoredProgress;
use crate::{assets::Located, event::Event, plan::RunConfig, store::Environment};

/// The work on one run that a worker receives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerJob {
    /// Its key. The run that the worker prepares must have the same one.
    pub key: String,
    /// Its displayed name.
    pub name: String,
    /// Its settings.
    pub config: RunConfig,
    /// Where the command stored downloaded files: the worker downloads nothing.
    pub located: Vec<Located>,
    /// The folder `runs/`.
    #[serde(with = "crate::format::path")]
    pub runs: PathBuf,
    /// What the worker does.
    pub work: Work,
}

/// What a worker does with a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Train it.
    Train {
        /// Steps of the rungs: after the evaluation there the worker asks whether the run continues.
        rungs: Vec<u64>,
        /// Replaces `train.micro_batch_tokens` after memory ran out.
        micro_batch_tokens: Option<usize>,
        /// What the database holds of the run: a checkpoint is used only if all measurements before it are stored.
        stored: StoredProgress,
    },
    /// The run is completed: only classify its new probe sentences.
    Probes {
        /// Step of its last evaluation.
        last_step: u64,
    },
}

/// A message from the command to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Start work on this run.
    Begin(Box<WorkerJob>),
    /// The report that the worker waits for is stored.
    Recorded,
    /// Whether the run continues after the rung that it reached.
    Continue(bool),
    /// Finish the step, write a checkpoint, stop.
    Stop,
}

/// A message from a worker to the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The device is usable: the worker accepts work.
    Ready,
    /// The device is not usable, with the reason; the worker ends.
    Unusable(String),
    /// The run begins or resumes. The worker waits for [`Order::Recorded`].
    Started {
        /// The environment that it trains in.
        environment: Box<Environment>,
        /// Step of the checkpoint that it resumes from.
        resumed_from: Option<u64>,
    },
    /// An event of the run. The worker waits for [`Order::Recorded`] if [`Event::is_awaited`].
    Event(Event),
    /// The run has reached the rung at this step. The worker waits for [`Order::Continue`].
    AtRung(u64),
    /// The work and its cleanup are done: the worker is free.
    Finished,
}

/// Writes one message.
pub fn send(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    // One write for each message.
    output.write_all(&encode(message)?)?;
    output.flush()
}

/// A message as bytes.
///
/// # Errors
/// If it contains a value that CBOR cannot represent.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Reads one message; an error if the other process is gone.
pub fn receive<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<M> {
    ciborium::from_reader(input).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{FailureKind, Outcome, Prediction, PredictionBefore, Split, StepCompleted},
        metrics::Target,
        store::testing::{config, eval},
    };

    /// What arrives is what was sent, to the bit, also what JSON cannot hold.
    #[test]
    fn messages_arrive_as_they_were_sent() {
        let step = |loss: f64| {
            let (lr, grad_norm) = (1e-5, f64::INFINITY);
            Event::StepCompleted(StepCompleted { step: 1, epoch: 1, loss, lr, grad_norm, tokens: 3, elapsed_s: 0.1 })
        };
        let prediction = Prediction {
            row: 1,
            line: 2,
            text: "送餐很快".into(),
            text_pair: None,
            label: Target::Label(0),
            predicted: Target::Label(1),
            probabilities: vec![0.1, 0.9, f32::MIN_POSITIVE].into(),
        };
        let events = [
            step(0.1 + 0.2),
            step(f64::NEG_INFINITY),
            eval(crate::event::When::During, 3, Split::Dev, 3),
            Event::PredictedBefore {
                split: Split::Test,
                predictions: vec![PredictionBefore::from(prediction.clone())],
            },
            Event::Predicted { split: Split::Test, predictions: vec![prediction] },
            Event::RunFinished(Outcome::Failed { kind: FailureKind::Oom, message: "two\nlines".into() }),
            Event::RunFinished(Outcome::Paused { step: 7 }),
        ];
        let mut bytes = Vec::new();
        for event in &events {
            send(&mut bytes, &Report::Event(event.clone())).unwrap();
        }
        send(&mut bytes, &Report::Event(step(f64::NAN))).unwrap();
        let work = Work::Train { rungs: vec![4, 8], micro_batch_tokens: Some(512), stored: StoredProgress::default() };
        // Also a folder whose name is no text.
        #[cfg(unix)]
        let runs: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"runs\xff".to_vec());
        #[cfg(not(unix))]
        let runs = std::ffi::OsString::from("runs");
        let (key, name, runs) = ("k".into(), "n".into(), PathBuf::from(runs));
        let job = WorkerJob { key, name, config: config(), located: Vec::new(), runs, work };
        let order = Order::Begin(Box::new(job));
        send(&mut bytes, &order).unwrap();
        let mut input = &bytes[..];
        for event in events {
            assert_eq!(receive::<Report>(&mut input).unwrap(), Report::Event(event));
        }
        match receive::<Report>(&mut input).unwrap() {
            Report::Event(Event::StepCompleted(step)) => assert!(step.loss.is_nan()),
            other => panic!("{other:?}"),
        }
        assert_eq!(receive::<Order>(&mut input).unwrap(), order);
        assert!(receive::<Order>(&mut input).is_err(), "nothing more");
        assert!(receive::<Report>(&mut &bytes[..bytes.len() / 2][..0]).is_err());
    }
}
