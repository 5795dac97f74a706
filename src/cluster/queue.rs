//! What `squeue` prints.

use super::{
    ClusterError, Element, ElementId, ElementState, JobId,
    element::{number, reason},
};

const COMMAND: &str = "squeue";

/// The arguments of `squeue` that [`parse`] reads. The name is last, since it can contain anything.
pub(super) const FORMAT: &str =
    "ArrayJobID:|,ArrayTaskID:|,JobID:|,State:|,Reason:|,exit_code:|,SubmitTime:|,RestartCnt:|,Name:|";

/// Reads the lines that [`FORMAT`] gives, with times as Unix seconds (`SLURM_TIME_FORMAT=%s`).
pub(super) fn parse(printed: &str) -> Result<Vec<Element>, ClusterError> {
    printed.lines().filter(|line| !line.trim().is_empty()).map(element).collect()
}

fn element(line: &str) -> Result<Element, ClusterError> {
    let fields: Vec<&str> = line.splitn(9, '|').collect();
    let [array, task, job, state, why, status, submitted, restarts, name] = fields[..] else {
        return Err(ClusterError::Unreadable { command: COMMAND.into(), printed: line.into() });
    };
    let array: JobId = number(COMMAND, array, line)?;
    let task = match task.trim() {
        "N/A" | "" => None,
        task => Some(number(COMMAND, task, line)?),
    };
    let state = ElementState::named(state);
    // As `wait` gives it: the signal in the lower bits, the exit code above.
    let status: u32 = number(COMMAND, status, line)?;
    let (code, signal) = ((status >> 8) as i32, (status & 0x7f) as i32);
    let ended = !state.is_underway();
    Ok(Element {
        id: ElementId { array, task },
        job: number(COMMAND, job, line)?,
        state,
        reason: reason(why),
        exit_code: (ended && signal == 0).then_some(code),
        signal: (ended && signal != 0).then_some(signal),
        restarts: Some(number(COMMAND, restarts, line)?),
        submitted: number(COMMAND, submitted, line)?,
        name: name.strip_suffix('|').unwrap_or(name).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElementState::{Cancelled, Completed, Failed, Pending, Running, TimedOut};

    /// Printed by Slurm 22.05.8 for an array with every end: exit code 0 and 3, SIGKILL, `scontrol requeue`, `scancel`, the time limit.
    const PRINTED: &str = "\
1|0|2|COMPLETED|None|0|1795933575|0|taper name with | bar|
1|4|6|COMPLETING|None|15|1795933575|0|taper name with | bar|
1|1|3|FAILED|NonZeroExitCode|768|1795933575|0|taper name with | bar|
1|2|4|FAILED|JobLaunchFailure|9|1795933575|0|taper name with | bar|
1|12|1|PENDING|Resources|0|1795933575|0|taper name with | bar|
1|3|5|PENDING|BeginTime|0|1795933578|1|taper name with | bar|
1|5|7|RUNNING|None|0|1795933575|0|taper name with | bar|
1|9|6|CANCELLED|None|15|1795933575|0|taper name with | bar|
1|15|1|TIMEOUT|TimeLimit|15|1795933575|0|taper name with | bar|
17|N/A|17|RUNNING|None|0|1795933575|0|s.sh|
";

    #[test]
    fn every_state_is_read() {
        let read = parse(PRINTED).unwrap();
        let shown: Vec<_> = read.iter().map(|e| (e.id.to_string(), e.state, e.described())).collect();
        let expected = [
            ("1_0", Completed, "completed"),
            ("1_4", Running, "running"),
            ("1_1", Failed, "failed (exit code 3)"),
            ("1_2", Failed, "failed (signal 9)"),
            ("1_12", Pending, "pending (Resources)"),
            ("1_3", Pending, "pending (BeginTime)"),
            ("1_5", Running, "running"),
            ("1_9", Cancelled, "cancelled"),
            ("1_15", TimedOut, "timed out (TimeLimit)"),
            ("17", Running, "running"),
        ];
        assert_eq!(shown, expected.map(|(id, state, said)| (id.to_string(), state, said.to_string())));
        assert_eq!(
            (read[2].exit_code, read[2].signal, read[3].exit_code, read[3].signal),
            (Some(3), None, None, Some(9))
        );
        assert_eq!((read[1].exit_code, read[1].signal), (None, None), "it has not ended");
        assert_eq!((read[5].restarts, read[5].submitted, read[5].job), (Some(1), 1795933578.0, 5));
        assert_eq!(read[0].name, "taper name with | bar");
    }

    /// After a crash of the controller ids begin again.
    #[test]
    fn a_job_is_known_by_its_name_and_time() {
        let job = parse(PRINTED).unwrap().remove(0);
        assert!(job.is_of("taper name with | bar", 1795933575.4));
        assert!(!job.is_of("another", 1795933575.4));
        assert!(!job.is_of("taper name with | bar", 1795933575.4 + 301.0), "submitted before");
    }

    #[test]
    fn other_text_is_refused() {
        for printed in ["1|0|2|COMPLETED", "x|0|2|COMPLETED|None|0|1795933575|0|n|", "1|[2-3]|2|PENDING|None|0|5|0|n|"]
        {
            assert!(matches!(parse(printed), Err(ClusterError::Unreadable { .. })), "{printed}");
        }
        assert_eq!(parse("\n").unwrap(), []);
    }
}
