//! What a command and its workers say to each other: CBOR values, one after the other, over the worker's standard input and
//! output. JSON would lose NaN and infinity, which a diverged loss is.

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::logged::Logged;
use crate::{assets::Located, event::Event, plan::RunConfig, store::Environment};

/// A run to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its key: what the worker prepares has to have the same one.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// Its settings.
    pub config: RunConfig,
    /// Where the command found what came from elsewhere: the worker downloads nothing.
    pub located: Vec<Located>,
    /// The folder `runs/`.
    #[serde(with = "crate::format::path")]
    pub runs: PathBuf,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done with a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Train it.
    Train {
        /// Steps after whose evaluation the worker asks whether it may go on.
        rungs: Vec<u64>,
        /// In place of `train.micro_batch_tokens`, after memory ran out.
        micro_batch_tokens: Option<usize>,
        /// What the database holds of it: a checkpoint is used only where that covers it.
        logged: Logged,
    },
    /// It is done: only classify its probe sentences again, which are new.
    Probes {
        /// Step of its last evaluation.
        last_step: u64,
    },
}

/// From the command to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Make this run.
    Begin(Box<Job>),
    /// What was awaited is on disk.
    Recorded,
    /// Whether the run goes on after the rung it asked about.
    GoOn(bool),
    /// Finish the step, write a checkpoint, stop.
    Stop,
}

/// From a worker to the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The device can be used: jobs may come.
    Ready,
    /// The device cannot be used, and why; the worker ends.
    Unusable(String),
    /// The run begins, or goes on from a step. Waits for [`Order::Recorded`].
    Started {
        /// What it is made with.
        environment: Box<Environment>,
        /// Step of its checkpoint.
        resumed_from: Option<u64>,
    },
    /// Something happened. Waits for [`Order::Recorded`] where [`Event::is_awaited`].
    Happened(Event),
    /// May the run go on after this step? Waits for [`Order::GoOn`].
    MayGoOn(u64),
    /// The job is done and tidied up after: the worker is free.
    Finished,
}

/// Writes one message.
pub fn send(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    // In one piece: a pipe is written to once for each message.
    output.write_all(&encode(message)?)?;
    output.flush()
}

/// A message as bytes.
///
/// # Errors
/// Where it holds what cannot be sent.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Reads one message; an error where the other end is gone.
pub fn receive<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<M> {
    ciborium::from_reader(input).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{FailureKind, Outcome, Prediction, Split, StepCompleted},
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
            label: 0,
            predicted: 1,
            probabilities: vec![0.1, 0.9, f32::MIN_POSITIVE].into(),
        };
        let events = [
            step(0.1 + 0.2),
            step(f64::NEG_INFINITY),
            eval(crate::event::When::During, 3, Split::Dev, 3),
            Event::Predicted { split: Split::Test, predictions: vec![prediction] },
            Event::RunFinished(Outcome::Failed { kind: FailureKind::Oom, message: "two\nlines".into() }),
            Event::RunFinished(Outcome::Paused { step: 7 }),
        ];
        let mut bytes = Vec::new();
        for event in &events {
            send(&mut bytes, &Report::Happened(event.clone())).unwrap();
        }
        send(&mut bytes, &Report::Happened(step(f64::NAN))).unwrap();
        let work = Work::Train { rungs: vec![4, 8], micro_batch_tokens: Some(512), logged: Logged::default() };
        // Also a folder whose name is no text.
        #[cfg(unix)]
        let runs: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"runs\xff".to_vec());
        #[cfg(not(unix))]
        let runs = std::ffi::OsString::from("runs");
        let (key, name, runs) = ("k".into(), "n".into(), PathBuf::from(runs));
        let job = Job { key, name, config: config(), located: Vec::new(), runs, work };
        let order = Order::Begin(Box::new(job));
        send(&mut bytes, &order).unwrap();
        let mut input = &bytes[..];
        for event in events {
            assert_eq!(receive::<Report>(&mut input).unwrap(), Report::Happened(event));
        }
        match receive::<Report>(&mut input).unwrap() {
            Report::Happened(Event::StepCompleted(step)) => assert!(step.loss.is_nan()),
            other => panic!("{other:?}"),
        }
        assert_eq!(receive::<Order>(&mut input).unwrap(), order);
        assert!(receive::<Order>(&mut input).is_err(), "nothing more");
        assert!(receive::<Report>(&mut &bytes[..bytes.len() / 2][..0]).is_err());
    }
}
