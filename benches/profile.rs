//! Where the time of a training step goes, kernel by kernel.
//!
//!     cargo bench --bench profile -- SPEC [--steps 20] [--set KEY=VALUE …]
//!
//! Trains the first steps of a spec's first run in this process and prints, for each kernel, its milliseconds a step, its
//! share, and for products the GFLOP/s.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use taper::{
    data,
    engine::{Engine, Explicit, Recipe},
    execute::Workbench,
    kernels::{
        Activation, ActivationOps, AdamW, AddNorm, AddNormBackward, Attend, AttentionBackward, AttentionOps, Backend,
        BiasActivation, Buffer, CopyOps, CopyRows, Cpu, CpuBatch, Dropout, Embed, EmbedBackward, EmbeddingOps,
        GatedActivation, Linear, LinearOps, LossOps, Memory, Moments, NormOps, OptimizerOps, PoolingOps, Rotation,
        RotationOps, Sums, Table, TokenStream,
    },
    model::{DropoutPlan, Parameters, read_weights},
    plan, spec,
    train::step_batches,
};

/// Name → (calls, time, floating-point operations).
type Times = Arc<Mutex<BTreeMap<String, (u64, Duration, f64)>>>;

/// The CPU, with a stopwatch.
struct Timed {
    cpu: Cpu,
    times: Times,
    /// Rows of a batch: products over so many rows are those of the [CLS] tokens.
    sequences: usize,
}

impl Timed {
    fn record(&self, name: &str, begin: Instant, flop: f64) {
        let mut times = self.times.lock().expect("no thread panics");
        let entry = times.entry(name.to_string()).or_default();
        *entry = (entry.0 + 1, entry.1 + begin.elapsed(), entry.2 + flop);
    }
}

macro_rules! timed {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? $(, $rows:ident of $linear:ident)?;)*) => {
        $(fn $name(&mut self, $($arg: $ty),*) $(-> $ret)? {
            #[allow(unused_mut, unused_assignments, reason = "only products count")]
            let (mut name, mut flop) = (stringify!($name).to_string(), 0.0);
            $(
                flop = 2.0 * ($rows * $linear.out * $linear.width) as f64;
                let size = if $rows == self.sequences { "rows" } else { "tokens" };
                name = format!("{name} {size}·{}·{}", $linear.out, $linear.width);
            )?
            let begin = Instant::now();
            let result = self.cpu.$name($($arg),*);
            self.record(&name, begin, flop);
            result
        })*
    };
}

impl Backend for Timed {}

impl Memory for Timed {
    type Buffer = Buffer;
    type Batch = CpuBatch;

    fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        Cpu::enter(work)
    }

    fn zeros(&self, len: usize) -> Buffer {
        self.cpu.zeros(len)
    }

    fn zeros_of_parameters(&self, len: usize, dense: usize) -> Buffer {
        self.cpu.zeros_of_parameters(len, dense)
    }

    fn write(&self, buffer: &mut Buffer, at: usize, values: &[f32]) {
        self.cpu.write(buffer, at, values);
    }

    fn read<'a>(&self, buffer: &'a Buffer, range: Range<usize>) -> Cow<'a, [f32]> {
        self.cpu.read(buffer, range)
    }

    fn clear(&self, buffer: &mut Buffer, len: usize) {
        let begin = Instant::now();
        self.cpu.clear(buffer, len);
        self.record("clear", begin, 0.0);
    }

    fn sums(&mut self) -> Sums {
        self.cpu.sums()
    }

    fn finished(&mut self, wait: bool) -> Vec<Sums> {
        self.cpu.finished(wait)
    }

    fn batch(&mut self, tokens: TokenStream) -> CpuBatch {
        self.cpu.batch(tokens)
    }

    timed! {
        parameters_written();
        begin_step();
        end_step();
    }
}

impl EmbeddingOps for Timed {
    timed! {
        embed(args: Embed<Buffer, CpuBatch>);
        embed_backward(args: EmbedBackward<Buffer, CpuBatch>);
    }
}

impl LinearOps for Timed {
    timed! {
        linear(y: &mut Buffer, x: &Buffer, rows: usize, parameters: &Buffer, linear: Linear, biased: bool), rows of linear;
        linear_input(dx: &mut Buffer, add: bool, dy: &Buffer, rows: usize, parameters: &Buffer, linear: Linear), rows of linear;
        linear_parameters(gradients: &mut Buffer, fresh: bool, dy: &Buffer, x: &Buffer, rows: usize, linear: Linear), rows of linear;
    }
}

impl RotationOps for Timed {
    timed! {
        rotate(args: Rotation<Buffer, CpuBatch>);
    }
}

impl CopyOps for Timed {
    timed! {
        copy_rows(args: CopyRows<Buffer>);
    }
}

impl AttentionOps for Timed {
    timed! {
        attention(args: Attend<Buffer, CpuBatch>);
        attention_backward(args: AttentionBackward<Buffer, CpuBatch>);
    }
}

impl ActivationOps for Timed {
    timed! {
        bias_activation(args: BiasActivation<Buffer>);
        gated_activation(args: GatedActivation<Buffer>);
        gated_activation_backward(x: &mut Buffer, dy: &Buffer, shape: (usize, usize));
        multiply(y: &mut Buffer, x: &Buffer, len: usize);
        activate(y: &mut Buffer, x: &mut Buffer, shape: (usize, usize), activation: Activation, dropout: Option<Dropout>);
        activate_backward(dy: &mut Buffer, x: &Buffer, shape: (usize, usize), dropout: Option<Dropout>);
        dropout(x: &mut Buffer, shape: (usize, usize), dropout: Dropout);
    }
}

impl NormOps for Timed {
    timed! {
        add_norm(args: AddNorm<Buffer>);
        add_norm_backward(args: AddNormBackward<Buffer>);
    }
}

impl PoolingOps for Timed {
    timed! {
        first_rows(y: &mut Buffer, x: &Buffer, batch: &CpuBatch, width: usize);
        add_to_first_rows(x: &mut Buffer, y: &Buffer, batch: &CpuBatch, width: usize);
        mean_rows(y: &mut Buffer, x: &Buffer, batch: &CpuBatch, width: usize);
        mean_rows_backward(x: &mut Buffer, y: &Buffer, batch: &CpuBatch, width: usize);
    }
}

impl LossOps for Timed {
    timed! {
        cross_entropy(d_logits: &mut Buffer, logits: &Buffer, targets: &[f32], gamma: f64, rows: usize, labels: usize);
        binary_cross_entropy(d_logits: &mut Buffer, logits: &Buffer, targets: &[f32], gamma: f64, rows: usize, labels: usize);
        squared_error(d_outputs: &mut Buffer, outputs: &Buffer, targets: &[f32], rows: usize, columns: usize);
    }
}

impl OptimizerOps for Timed {
    timed! {
        add_squares(x: &Buffer, range: Range<usize>);
        adamw(moments: Moments<Buffer>, gradients: &Buffer, range: Range<usize>, update: AdamW);
        adamw_rows(moments: Moments<Buffer>, gradients: &Buffer, table: Table, rows: &[(u32, Option<u32>)], update: AdamW);
        scale_rows(values: &mut Buffer, table: Table, rows: &[u32], by: f32);
    }
}

struct Refused(String);

impl From<plan::PlanError> for Refused {
    fn from(e: plan::PlanError) -> Self {
        Self(e.to_string())
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.is_empty() {
        println!("usage: cargo bench --bench profile -- SPEC [--steps N] [--set KEY=VALUE …]");
        return Ok(());
    }
    let mut take = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.remove(at);
        Some(arguments.remove(at))
    };
    let steps: u64 = take("--steps").map_or(Ok(20), |n| n.parse())?;
    let sets: Vec<String> = std::iter::from_fn(|| take("--set")).collect();
    let options = spec::LoadOptions { sets, ..Default::default() };
    let loaded = spec::LoadedSpec::load(arguments[0].as_ref(), &options)?;
    let points = |point: &[_]| loaded.at(point).map_err(|e| Refused(e.to_string()));
    let runs = plan::expand(loaded.spec(), points, plan::SearchHistory::default())
        .map_err(|e| e.into_iter().map(|e| e.0).collect::<String>())?;
    let run = Workbench::default().prepare(&runs.runs[0])?;

    let (labels, train) = (run.dataset.labels.len(), &run.config.train);
    let parameters = match &run.files {
        Some(files) => {
            Parameters::load(&run.shape, labels, read_weights(&files.weights)?, &files.weights, 1)?.parameters
        }
        None => Parameters::fresh(&run.shape, labels, 1)?,
    };
    let times = Times::default();
    let cpu = match train.precision {
        plan::Precision::Fp32 => Cpu::default(),
        plan::Precision::Tf32 => return Err("tf32 is a precision of GPUs; this profile is of the CPU".into()),
        plan::Precision::Bf16 => Cpu::bf16().ok_or("this processor has no bf16 products")?,
    };
    let cpu = Timed { cpu, times: times.clone(), sequences: train.batch_size };
    let mut engine = Explicit::new(cpu, &run.shape, parameters, &Recipe::new(run.config.data.task(), train))?;
    let objective = run.config.data.task().objective(train.gamma(), None, 0.0);
    let order = data::epoch_order(&run.tokens.windows(&run.splits.train), train.order_seed, 1);
    let (mut wall, mut tokens) = (Duration::ZERO, 0);
    const WARM: u64 = 2;
    for step in 0..WARM + steps {
        if step == WARM {
            times.lock().expect("no thread panics").clear();
            (wall, tokens) = (Duration::ZERO, 0);
        }
        let batches = step_batches(train, &run.dataset, &run.tokens, &order, step % run.steps.per_epoch)?;
        let rows = objective.denominator(batches.iter().flat_map(|b| &b.targets), labels);
        let begin = Instant::now();
        let targets: Vec<_> = batches.iter().map(|b| objective.targets(&b.targets, labels, rows)).collect();
        engine.step(&batches, &targets, Some(DropoutPlan { seed: train.seed, step: step + 1 }), train.lr)?;
        engine.finished(false)?;
        wall += begin.elapsed();
        tokens += batches.iter().map(|b| b.ids.len()).sum::<usize>();
    }
    report(&times.lock().expect("no thread panics"), wall, steps, tokens);
    Ok(())
}

fn report(times: &BTreeMap<String, (u64, Duration, f64)>, wall: Duration, steps: u64, tokens: usize) {
    let ms = |time: Duration| 1e3 * time.as_secs_f64() / steps as f64;
    println!("{steps} steps of {:.0} tokens: {:.1} ms each", tokens as f64 / steps as f64, ms(wall));
    let mut rows: Vec<_> = times.iter().collect();
    rows.sort_by_key(|(_, (_, time, _))| std::cmp::Reverse(*time));
    let rest = wall - rows.iter().map(|(_, (_, time, _))| *time).sum::<Duration>().min(wall);
    println!("{:<36} {:>9} {:>9} {:>7} {:>9}", "kernel", "calls", "ms", "share", "GFLOP/s");
    for (name, (calls, time, flop)) in rows {
        let speed = if *flop > 0.0 { format!("{:.0}", flop / time.as_secs_f64() / 1e9) } else { String::new() };
        let share = 100.0 * time.as_secs_f64() / wall.as_secs_f64();
        println!("{name:<36} {:>9.1} {:>9.2} {share:>6.1}% {speed:>9}", *calls as f64 / steps as f64, ms(*time));
    }
    println!("{:<36} {:>9} {:>9.2}", "the rest", "", ms(rest));
}
