//! What taper asks Slurm to do.

use std::{ops::Range, path::Path};

use super::{ClusterError, Element, ElementId, JobId, accounting, element::number, process::Program, queue};

/// Ids in one command at most: the system limits the length of its arguments.
const IDS: usize = 500;

/// Slurm, by its commands on this machine.
#[derive(Debug, Clone)]
pub struct Slurm {
    sbatch: Program,
    squeue: Program,
    scontrol: Program,
    scancel: Program,
    /// Not every cluster has accounting.
    sacct: Option<Program>,
}

impl Slurm {
    /// Finds the commands.
    ///
    /// # Errors
    /// If one is not installed; `sacct` can be missing.
    pub fn find() -> Result<Self, ClusterError> {
        Ok(Self {
            sbatch: Program::find("sbatch")?,
            squeue: Program::find("squeue")?,
            scontrol: Program::find("scontrol")?,
            scancel: Program::find("scancel")?,
            sacct: Program::find("sacct").ok(),
        })
    }

    /// The same for the cluster that this `slurm.conf` configures, whatever `SLURM_CONF` says.
    pub fn with_config(self, config: &Path) -> Self {
        let of = |program: Program| program.with_config(config);
        Self {
            sbatch: of(self.sbatch),
            squeue: of(self.squeue),
            scontrol: of(self.scontrol),
            scancel: of(self.scancel),
            sacct: self.sacct.map(of),
        }
    }

    /// The number of elements that an array has at most (`MaxArraySize`, one above the highest number of an element).
    ///
    /// # Errors
    /// If the controller does not answer.
    pub fn max_array_size(&self) -> Result<u64, ClusterError> {
        let printed = self.scontrol.run(["show", "config"])?;
        let value = printed.lines().find_map(|line| line.strip_prefix("MaxArraySize")).unwrap_or("");
        let value = value.trim_start().trim_start_matches('=');
        number("scontrol", value, &format!("MaxArraySize{value}"))
    }

    /// Submits a job, of which `array` says the elements (`0-11%4`); `None`: a job that is no array. Returns its id when Slurm has accepted it.
    ///
    /// # Errors
    /// If Slurm refuses, or the controller does not answer.
    pub fn submit(&self, script: &Path, array: Option<&str>, name: &str) -> Result<JobId, ClusterError> {
        let array = array.map(|array| format!("--array={array}"));
        self.sbatch(array.into_iter().collect(), script, name, None)
    }

    /// Submits some of the elements of a submission as an array, whose elements are numbered from 0: `$1` of its script is the number of the
    /// first. `logs` is the folder of its output.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub fn submit_part(
        &self,
        script: &Path,
        elements: &Range<u64>,
        max_parallel: Option<u32>,
        logs: &Path,
        name: &str,
    ) -> Result<JobId, ClusterError> {
        let mut options = vec![format!("--array={}", array_of(elements, max_parallel))];
        if elements.start > 0 {
            let logs = logs.display().to_string().replace('%', "%%");
            options.push(format!("--output={logs}/{}+%a.out", elements.start));
        }
        self.sbatch(options, script, name, Some(elements.start))
    }

    fn sbatch(
        &self,
        options: Vec<String>,
        script: &Path,
        name: &str,
        argument: Option<u64>,
    ) -> Result<JobId, ClusterError> {
        let mut arguments = vec!["--parsable".to_string(), format!("--job-name={name}")];
        arguments.extend(options);
        arguments.push(script.display().to_string());
        arguments.extend(argument.map(|argument| argument.to_string()));
        let printed = self.sbatch.run(arguments)?;
        // With several clusters, `id;cluster`.
        number("sbatch", printed.trim().split(';').next().unwrap_or(""), printed.trim())
    }

    /// What Slurm says of all elements of these jobs. Those that it has forgotten are missing: without accounting, that is some minutes after their end.
    ///
    /// # Errors
    /// If the controller does not answer: then nothing is known of any job.
    pub fn elements(&self, jobs: &[JobId]) -> Result<Vec<Element>, ClusterError> {
        let mut found = Vec::new();
        for some in jobs.chunks(IDS) {
            let ids = some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let queue = self.squeue.run(["-h", "-r", "-t", "all", "-O", queue::FORMAT, "-j", &ids]);
            let queued = match queue {
                Ok(printed) => queue::parse(&printed)?,
                // The only one of the list is forgotten; in a longer list it would be left out.
                Err(ClusterError::Refused { why, .. }) if why.contains("Invalid job id") => Vec::new(),
                Err(e) => return Err(e),
            };
            let arguments = ["-n", "-P", "-X", "--format", accounting::FORMAT, "-j", &ids];
            // Accounting can be switched off, or its server be down: then there is only the queue.
            let accounted = self.sacct.as_ref().and_then(|sacct| sacct.run(arguments).ok());
            let accounted = accounted.and_then(|printed| accounting::parse(&printed).ok()).unwrap_or_default();
            found.extend(joined(queued, accounted));
        }
        Ok(found)
    }

    /// Cancels jobs. Those that have ended or are forgotten are left alone.
    ///
    /// # Errors
    /// If the controller does not answer.
    pub fn cancel(&self, which: &[ElementId]) -> Result<(), ClusterError> {
        which.chunks(IDS).try_for_each(|some| self.scancel(&[], some))
    }

    /// Sends a signal (`USR1`) to the command of a job, and not to the processes that it started.
    ///
    /// # Errors
    /// If the controller does not answer.
    pub fn signal(&self, which: &ElementId, signal: &str) -> Result<(), ClusterError> {
        self.scancel(&["--batch".into(), format!("--signal={signal}")], std::slice::from_ref(which))
    }

    fn scancel(&self, options: &[String], which: &[ElementId]) -> Result<(), ClusterError> {
        let arguments = options.iter().cloned().chain(which.iter().map(ToString::to_string));
        match self.scancel.run(arguments) {
            Err(ClusterError::Refused { why, .. }) if is_over(&why) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Queues a job again.
    ///
    /// # Errors
    /// If Slurm refuses, or the controller does not answer.
    pub fn requeue(&self, which: &ElementId) -> Result<(), ClusterError> {
        requeue(&self.scontrol, which)
    }

    /// Queues a job again from within it, where only `scontrol` has to be installed: in a container the other commands may be missing.
    ///
    /// # Errors
    /// As [`Self::requeue`], and if `scontrol` is not installed.
    pub fn requeue_from_within(which: &ElementId) -> Result<(), ClusterError> {
        requeue(&Program::find("scontrol")?, which)
    }
}

fn requeue(scontrol: &Program, which: &ElementId) -> Result<(), ClusterError> {
    scontrol.run(["requeue", &which.to_string()]).map(drop)
}

/// Whether `scancel` complains only about jobs that have ended.
fn is_over(why: &str) -> bool {
    ["Invalid job id", "already completing or completed"].iter().any(|words| why.contains(words))
}

/// What both know: the queue is newer, accounting remembers longer.
fn joined(queued: Vec<Element>, accounted: Vec<Element>) -> Vec<Element> {
    let mut all = queued;
    for element in accounted {
        if !all.iter().any(|known| known.id == element.id) {
            all.push(element);
        }
    }
    all
}

/// The elements as `sbatch --array` has them, numbered from 0.
fn array_of(elements: &Range<u64>, max_parallel: Option<u32>) -> String {
    let last = (elements.end - elements.start).saturating_sub(1);
    let at_most = max_parallel.map_or(String::new(), |most| format!("%{most}"));
    if last == 0 { format!("0{at_most}") } else { format!("0-{last}{at_most}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_numbered_from_zero() {
        assert_eq!(array_of(&(0..12), Some(4)), "0-11%4");
        assert_eq!(array_of(&(1000..2000), None), "0-999");
        assert_eq!(array_of(&(5..6), None), "0");
    }

    #[test]
    fn the_queue_knows_better_and_accounting_longer() {
        let queued = queue::parse("1|0|2|PENDING|BeginTime|0|9|1|n|\n").unwrap();
        let accounted = accounting::parse("1_0|2|TIMEOUT|0:0|5|None|n\n1_1|3|COMPLETED|0:0|5|None|n\n").unwrap();
        let said: Vec<_> = joined(queued, accounted).iter().map(Element::described).collect();
        assert_eq!(said, ["pending (BeginTime)", "completed"]);
    }
}
