//! What a job asks Slurm for.

use serde::{Deserialize, Serialize};

/// `[slurm]`: settings of jobs, which do not affect the results of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmSettings {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// `--time`: the limit of a job, in Slurm's notation.
    pub time: Option<String>,
    /// `--gres`.
    pub gres: Option<String>,
    /// `--cpus-per-task`: also the number of threads of a run.
    pub cpus_per_task: Option<u32>,
    /// `--mem`.
    pub mem: Option<String>,
    /// `--nodelist`.
    pub nodelist: Option<String>,
    /// Elements of an array that run at a time (`--array=0-11%4`); all that fit if absent.
    pub max_parallel: Option<u32>,
    /// Runs of an element, one after the other.
    pub runs_per_job: u32,
    /// How often an element is requeued after its checkpoint; with 0, not after a node failed either.
    pub requeues: u32,
    /// Seconds before the time limit at which a run writes a checkpoint and goes (`--signal=B:USR1@…`).
    pub signal_seconds: u32,
    /// Lines of shell before taper: `module load cuda`.
    pub setup: Vec<String>,
    /// What starts taper, such as the command of a container.
    pub wrap: Option<String>,
    /// Further options of `sbatch`.
    pub extra: Vec<String>,
}

/// The defaults of the table of keys.
impl Default for SlurmSettings {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            qos: None,
            time: None,
            gres: None,
            cpus_per_task: None,
            mem: None,
            nodelist: None,
            max_parallel: None,
            runs_per_job: 1,
            requeues: 20,
            signal_seconds: 120,
            setup: Vec::new(),
            wrap: None,
            extra: Vec::new(),
        }
    }
}

impl SlurmSettings {
    /// The options of `sbatch` that follow from it, without those that every job has.
    pub(super) fn options(&self) -> Vec<String> {
        let given = [
            ("partition", &self.partition),
            ("account", &self.account),
            ("qos", &self.qos),
            ("time", &self.time),
            ("gres", &self.gres),
            ("mem", &self.mem),
            ("nodelist", &self.nodelist),
        ];
        let mut options: Vec<String> =
            given.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("--{name}={value}"))).collect();
        options.extend(self.cpus_per_task.map(|cpus| format!("--cpus-per-task={cpus}")));
        options.extend(self.extra.iter().cloned());
        options
    }

    /// The settings of a job that only submits others: no GPU, and memory and processors as the cluster gives them.
    pub fn without_resources(&self) -> Self {
        Self { gres: None, mem: None, cpus_per_task: None, nodelist: None, ..self.clone() }
    }
}
