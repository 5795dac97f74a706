//! Estimates of what runs will cost; measurements shared by runs are computed once.

use std::{collections::HashSet, sync::Arc};

use anyhow::Result;
use taper::{
    cluster::{self, SlurmSettings},
    data::{RowText, Splits, Tokens},
    engine::{self, MemorySpace, Workload},
    execute::{DeviceChoice, Prepared, training_rate},
    format,
    model::ModelSpec,
    plan::{EngineKind, Estimate, Lengths, Machine, ModelShape, Precision, estimate},
    train::largest_part,
    warning::{Kind, Warning},
};

/// candle's speed as a fraction of the kernels', and its memory as a multiple of theirs, measured on rbt3. Small models are slower still:
/// the tape has a fixed cost per operation.
const CANDLE: (f64, u64) = (0.34, 2);

/// Estimates for the runs of one plan, on one device.
pub struct Costs {
    space: MemorySpace,
    /// Threads of each run; all if absent.
    threads: Option<usize>,
    rates: Vec<(Precision, f64)>,
    rows: Vec<Rows>,
    largest: Vec<(LargestOf, u64)>,
}

/// Lengths of the rows of each split, or of their windows, and the distinct words of the training rows.
struct Rows {
    of: (Arc<Tokens>, Arc<Splits>),
    lengths: [Vec<u32>; 3],
    /// Of each dev and test row, in all its windows.
    predicted: Vec<u32>,
    words: usize,
    /// Bytes that all rows take, with their tokens.
    bytes: u64,
}

/// The settings that determine the largest part of a batch. The order of the rows is left out: its effect is small, and a sweep over a
/// thousand seeds would have to shuffle them all.
#[derive(PartialEq)]
struct LargestOf {
    rows: usize,
    batch_size: usize,
    micro_batch_tokens: usize,
    steps: u64,
}

impl Costs {
    /// For runs on this device.
    pub fn on(device: DeviceChoice) -> Self {
        let space = if matches!(device, DeviceChoice::Cuda(_)) { MemorySpace::Gpu } else { MemorySpace::Host };
        Self { space, threads: None, rates: Vec::new(), rows: Vec::new(), largest: Vec::new() }
    }

    /// For runs with this many threads each.
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// What a run will cost.
    pub fn of(&mut self, run: &Prepared) -> Result<Estimate> {
        let rate = self.rate(run.config.train.precision);
        self.at(run, Some(if by_candle(run) { CANDLE.0 * rate } else { rate }))
    }

    /// Bytes of memory that the largest of these runs needs.
    pub fn largest_memory(&mut self, runs: &[Prepared]) -> Result<u64> {
        runs.iter().try_fold(0, |most, run| Ok(most.max(self.at(run, None)?.memory_bytes)))
    }

    /// The warning that Slurm gives a job less memory than the largest of these runs needs, as far as that can be estimated here: of a job
    /// with a GPU it is the GPU's memory.
    pub fn too_little(&mut self, slurm: &SlurmSettings, runs: &[Prepared]) -> Result<Option<Warning>> {
        let has_gpu = slurm.gres.iter().chain(&slurm.extra).any(|option| option.contains("gpu"));
        let Some(mem) = slurm.mem.as_ref().filter(|_| !has_gpu && self.space == MemorySpace::Host) else {
            return Ok(None);
        };
        // 0 is all memory of a node.
        let Some(given) = cluster::memory_bytes(mem).filter(|bytes| *bytes > 0) else { return Ok(None) };
        let needed = self.largest_memory(runs)?;
        Ok((given < needed).then(|| {
            let message = format!(
                "slurm.mem = \"{mem}\" gives a job {}, but a run is estimated to need {}, and Slurm kills jobs that use more than they asked \
                 for: raise slurm.mem",
                format::bytes(given),
                format::bytes(needed)
            );
            Warning::new(Kind::Training, message)
        }))
    }

    fn at(&mut self, run: &Prepared, rate: Option<f64>) -> Result<Estimate> {
        let index = self.rows(run)?;
        let train = &run.config.train;
        let of = LargestOf {
            rows: index,
            batch_size: train.batch_size,
            micro_batch_tokens: train.micro_batch_tokens,
            steps: run.steps.total.min(10 * run.steps.per_epoch),
        };
        let largest = match self.largest.iter().find(|(known, _)| *known == of) {
            Some((_, largest)) => *largest,
            None => {
                let largest = largest_part(train, &run.tokens.windows(&run.splits.train), &run.tokens)? as u64;
                self.largest.push((of, largest));
                largest
            }
        };
        let rows = &self.rows[index];
        let [train, dev, test] = &rows.lengths;
        let lengths = Lengths { train, dev, test, predicted: &rows.predicted };
        let memory_bytes = memory_bytes(run, self.space, rows, largest) * if by_candle(run) { CANDLE.1 } else { 1 };
        Ok(estimate(&run.config, &shape(run), lengths, Machine { rate, memory_bytes }))
    }

    /// The machine's speed in a precision.
    fn rate(&mut self, precision: Precision) -> f64 {
        if let Some((_, rate)) = self.rates.iter().find(|(known, _)| *known == precision) {
            return *rate;
        }
        let pool = self.threads.and_then(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().ok());
        let rate = pool.map_or_else(|| training_rate(precision), |pool| pool.install(|| training_rate(precision)));
        self.rates.push((precision, rate));
        rate
    }

    /// The index in `rows` of the measurements of a run's rows.
    fn rows(&mut self, run: &Prepared) -> Result<usize> {
        let same = |(tokens, splits): &(Arc<Tokens>, Arc<Splits>)| {
            Arc::ptr_eq(tokens, &run.tokens) && Arc::ptr_eq(splits, &run.splits)
        };
        if let Some(index) = self.rows.iter().position(|rows| same(&rows.of)) {
            return Ok(index);
        }
        let lengths = |rows: &[u32]| -> Result<Vec<u32>> {
            Ok(run.tokens.lengths(&run.tokens.windows(rows))?.into_iter().map(|length| length as u32).collect())
        };
        let lengths = [lengths(&run.splits.train)?, lengths(&run.splits.dev)?, lengths(&run.splits.test)?];
        let mut words: HashSet<u32> = HashSet::new();
        for &row in &run.splits.train {
            words.extend(run.tokens.row(row as usize)?);
        }
        let predicted = run.splits.dev.iter().chain(&run.splits.test);
        let predicted =
            predicted.map(|&row| Ok(run.tokens.row(row as usize)?.len() as u32)).collect::<Result<Vec<u32>>>()?;
        let of = (run.tokens.clone(), run.splits.clone());
        let bytes = bytes_of_rows(run, lengths.iter().flatten().map(|length| u64::from(*length)).sum());
        self.rows.push(Rows { of, lengths, predicted, words: words.len(), bytes });
        Ok(self.rows.len() - 1)
    }
}

fn by_candle(run: &Prepared) -> bool {
    run.config.train.engine == EngineKind::Candle
}

/// Parameters of a run's model.
pub fn parameters(run: &Prepared) -> u64 {
    ModelSpec::count(&run.shape, run.dataset.labels.len()).try_into().unwrap_or(u64::MAX)
}

/// Those of them that are trained: all that `train.freeze` leaves.
pub fn trained_parameters(run: &Prepared) -> u64 {
    let spec = ModelSpec::new(&run.shape, run.dataset.labels.len());
    let trained = spec.parameters().iter().filter(|p| !p.is_frozen(&run.config.train.freeze));
    trained.map(|p| p.len() as u64).sum()
}

/// Sizes of a run's model.
pub fn shape(run: &Prepared) -> ModelShape {
    run.shape.cost_shape(run.dataset.labels.len())
}

/// Bytes of the rows of a run, which have so many tokens: texts, ids, and what each row takes beside them.
fn bytes_of_rows(run: &Prepared, tokens: u64) -> u64 {
    const OF_ROW: u64 = 160;
    let text = |row| RowText::from(row).texts().map(|text| text.len() as u64).sum::<u64>();
    run.dataset.rows.iter().map(|row| OF_ROW + text(row)).sum::<u64>() + 4 * tokens
}

/// Bytes of memory that a run needs. `largest` is the largest part of a batch, in tokens.
fn memory_bytes(run: &Prepared, space: MemorySpace, rows: &Rows, largest: u64) -> u64 {
    let train = &run.config.train;
    let [trained, dev, test] = &rows.lengths;
    let tokens = |rows: &[u32]| rows.iter().map(|length| u64::from(*length)).sum::<u64>();
    let in_part = train.batch_size.min(trained.len());
    // No step has more distinct words than tokens.
    let in_step = (train.batch_size * train.gradient_accumulation_steps).min(trained.len());
    let longest = trained.iter().copied().max().unwrap_or(0) as usize;
    let workload = Workload {
        tokens: largest as usize,
        rows: in_part,
        step_words: rows.words.min(in_step * longest),
        words: rows.words,
        measured: (tokens(dev) + tokens(test), (dev.len() + test.len()) as u64),
        held: rows.bytes + run.tokenizer.memory_bytes(),
    };
    engine::memory_bytes(&run.shape, run.dataset.labels.len(), train.precision, space, &workload)
}
