//! taper in a process of its own, measured from inside.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use anyhow::{Result, bail, ensure};
use taper::{execute::DeviceChoice, plan::Precision};

use crate::{
    Options,
    common::machine::{cpu_seconds, load, peak_rss_mib},
    engine::{self, Trainer},
    measurements::Measurements,
    modes::{Mode, Task},
    products::ceiling,
    work::Work,
};

const MIB: f64 = (1u64 << 20) as f64;

/// Wall and CPU seconds at one moment.
#[derive(Clone, Copy)]
struct Moment {
    wall: Instant,
    cpu_s: Option<f64>,
}

impl Moment {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu_s: cpu_seconds() }
    }

    /// Seconds since then: of the clock, of all processors.
    fn elapsed(self) -> (f64, Option<f64>) {
        (self.wall.elapsed().as_secs_f64(), cpu_seconds().zip(self.cpu_s).map(|(now, then)| now - then))
    }
}

/// Measures one of taper's modes.
pub fn measure(options: &Options, mode: &Mode) -> Result<Measurements> {
    let work = Work::new(options, &options.sets)?;
    let cpu = options.device == DeviceChoice::Cpu;
    // What a GPU's products reach, the peer measures.
    let ceiling = || match cpu {
        true => ceiling(&work.run.shape, work.tokens_per_step(), mode.precision == Precision::Bf16),
        false => None,
    };
    let before = ceiling();
    let free = options.device.free_memory();
    let measured = match mode.task {
        Task::Train => train(&work, options.device)?,
        Task::Evaluate => evaluate(&work, options.device)?,
        Task::Run => bail!("{} is measured from outside", mode.name),
    };
    let Measured { steps, rows, mean_loss, seconds, cpu_s, median_ms, peak_rss_mib, free_after } = measured;
    let (samples, tokens) = (rows.len() as u64, work.tokens(&rows));
    let after = ceiling();
    Ok(Measurements {
        mode: mode.name.into(),
        threads: options.threads() as u64,
        steps,
        samples,
        mean_loss,
        accuracy: None,
        seconds,
        cpu_seconds: cpu_s,
        samples_per_s: samples as f64 / seconds,
        samples_per_cpu_s: cpu_s.filter(|s| *s > 0.0).map(|s| samples as f64 / s),
        ms_per_step_mean: 1e3 * seconds / steps as f64,
        ms_per_step_median: median_ms,
        real_tokens: tokens,
        padded_tokens: tokens,
        peak_rss_mib,
        device_mib: free.zip(free_after).map(|(before, after)| before.saturating_sub(after) as f64 / MIB),
        ceiling_gflops: [before, after],
        load: load(),
        versions: BTreeMap::from([("taper".to_string(), env!("CARGO_PKG_VERSION").to_string())]),
    })
}

struct Measured {
    steps: u64,
    rows: Vec<u32>,
    mean_loss: f64,
    seconds: f64,
    cpu_s: Option<f64>,
    median_ms: Option<f64>,
    peak_rss_mib: Option<f64>,
    /// Bytes of the device's memory that were free at the end.
    free_after: Option<u64>,
}

/// The run's first steps, those of the warm-up left out. Tokenising their rows, which a run does once for all epochs,
/// counts in full, as it does for the peer.
fn train(work: &Work, device: DeviceChoice) -> Result<Measured> {
    let rows = work.trained();
    let begin = Moment::now();
    tokenise(work, &rows)?;
    let (token_s, token_cpu_s) = begin.elapsed();

    let mut trainer = Trainer::new(&work.run, device)?;
    for _ in &work.warmup {
        trainer.step()?;
    }
    trainer.losses(true)?;
    let (mut step_ms, mut losses, mut tokens) = (Vec::new(), Vec::new(), 0);
    let begin = Moment::now();
    for _ in &work.steps {
        let step_begin = Instant::now();
        tokens += trainer.step()?.1;
        losses.extend(trainer.losses(false)?);
        step_ms.push(1e3 * step_begin.elapsed().as_secs_f64());
    }
    losses.extend(trainer.losses(true)?);
    let (elapsed, peak, free_after) = (begin.elapsed(), peak_rss_mib(), device.free_memory());
    let steps = work.steps.len();
    ensure!(losses.len() == steps, "{} of {steps} steps have a loss", losses.len());
    ensure!(tokens == work.tokens(&rows), "it trained on other rows than those of the row file");
    step_ms.sort_by(f64::total_cmp);
    let sum: f64 = losses.iter().zip(&work.steps).map(|(loss, rows)| loss * rows.len() as f64).sum();
    Ok(Measured {
        steps: steps as u64,
        mean_loss: sum / rows.len() as f64,
        rows,
        seconds: token_s + elapsed.0,
        cpu_s: token_cpu_s.zip(elapsed.1).map(|(a, b)| a + b),
        // A GPU is given work ahead: a single step has no time of its own.
        median_ms: (device == DeviceChoice::Cpu).then(|| step_ms[step_ms.len() / 2]),
        peak_rss_mib: peak,
        free_after,
    })
}

/// An evaluation of the measured rows, their tokenising included.
fn evaluate(work: &Work, device: DeviceChoice) -> Result<Measured> {
    let mut evaluate = engine::evaluator(&work.run, device)?;
    evaluate(&work.warmup[0])?;
    let begin = Moment::now();
    tokenise(work, &work.eval)?;
    let mean_loss = evaluate(&work.eval)?;
    let (seconds, cpu_s) = begin.elapsed();
    Ok(Measured {
        steps: 1,
        rows: work.eval.clone(),
        mean_loss,
        seconds,
        cpu_s,
        median_ms: None,
        peak_rss_mib: peak_rss_mib(),
        free_after: device.free_memory(),
    })
}

/// Makes the rows' tokens, which are there already, once more: for the time it takes.
fn tokenise(work: &Work, rows: &[u32]) -> Result<()> {
    let texts: Vec<&str> = rows.iter().map(|&row| work.run.dataset.rows[row as usize].text.as_str()).collect();
    black_box(work.run.tokenizer.encode_all(&texts, work.run.config.data.max_length)?);
    Ok(())
}
