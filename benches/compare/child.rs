//! taper in a process of its own, measured from inside.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use anyhow::{Result, ensure};

use crate::{
    Options,
    common::machine::{cpu_seconds, load, peak_rss_mib},
    engine,
    figures::Figures,
    modes::{Mode, Task},
    products::ceiling,
    work::Work,
};

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
pub fn measure(options: &Options, mode: &Mode) -> Result<Figures> {
    let work = Work::new(options, &options.sets)?;
    let ceiling = || ceiling(&work.run.shape, work.tokens_per_step(), mode.bf16);
    let before = ceiling();
    let measured = match mode.task {
        Task::Train => train(&work)?,
        Task::Evaluate => evaluate(&work)?,
    };
    let Measured { steps, rows, mean_loss, seconds, cpu_s, median_ms, peak_rss_mib } = measured;
    let (samples, tokens) = (rows.len() as u64, work.tokens(&rows));
    let after = ceiling();
    Ok(Figures {
        mode: mode.name.into(),
        threads: options.threads() as u64,
        steps,
        samples,
        mean_loss,
        seconds,
        cpu_seconds: cpu_s,
        samples_per_s: samples as f64 / seconds,
        samples_per_cpu_s: cpu_s.filter(|s| *s > 0.0).map(|s| samples as f64 / s),
        ms_per_step_mean: 1e3 * seconds / steps as f64,
        ms_per_step_median: median_ms,
        real_tokens: tokens,
        padded_tokens: tokens,
        peak_rss_mib,
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
}

/// The run's first steps, those of the warm-up left out. Tokenising their rows, which a run does once for all epochs,
/// counts in full, as it does for the peer.
fn train(work: &Work) -> Result<Measured> {
    let rows = work.trained();
    let begin = Moment::now();
    tokenise(work, &rows)?;
    let (token_s, token_cpu_s) = begin.elapsed();

    let (warmup, steps) = (work.warmup.len() as u64, work.steps.len() as u64);
    let mut begin = Moment::now();
    let mut step_begin = begin;
    let (mut step_ms, mut losses, mut tokens) = (Vec::new(), 0.0, 0);
    let (mut elapsed, mut peak) = ((0.0, None), None);
    engine::train(&work.run, &mut |step| {
        if step.step > warmup {
            step_ms.push(1e3 * step_begin.elapsed().0);
            losses += step.loss * work.steps[(step.step - warmup - 1) as usize].len() as f64;
            tokens += step.tokens;
        }
        if step.step == warmup + steps {
            (elapsed, peak) = (begin.elapsed(), peak_rss_mib());
            return false;
        }
        step_begin = Moment::now();
        if step.step == warmup {
            begin = step_begin;
        }
        true
    })?;
    ensure!(step_ms.len() as u64 == steps, "the run made {} steps of {steps}", step_ms.len());
    ensure!(tokens == work.tokens(&rows), "the run trained on other rows than those of the row file");
    step_ms.sort_by(f64::total_cmp);
    Ok(Measured {
        steps,
        mean_loss: losses / rows.len() as f64,
        rows,
        seconds: token_s + elapsed.0,
        cpu_s: token_cpu_s.zip(elapsed.1).map(|(a, b)| a + b),
        median_ms: Some(step_ms[step_ms.len() / 2]),
        peak_rss_mib: peak,
    })
}

/// An evaluation of the measured rows, their tokenising included.
fn evaluate(work: &Work) -> Result<Measured> {
    let mut evaluate = engine::evaluator(&work.run)?;
    evaluate(&work.warmup[0])?;
    let begin = Moment::now();
    tokenise(work, &work.eval)?;
    let mean_loss = evaluate(&work.eval)?;
    let (seconds, cpu_s) = begin.elapsed();
    let peak = peak_rss_mib();
    Ok(Measured { steps: 1, rows: work.eval.clone(), mean_loss, seconds, cpu_s, median_ms: None, peak_rss_mib: peak })
}

/// Makes the rows' tokens, which are there already, once more: for the time it takes.
fn tokenise(work: &Work, rows: &[u32]) -> Result<()> {
    let texts: Vec<&str> = rows.iter().map(|&row| work.run.dataset.rows[row as usize].text.as_str()).collect();
    black_box(work.run.tokenizer.encode_all(&texts, work.run.config.data.max_length)?);
    Ok(())
}
