//! What `sacct` prints. Clusters without accounting do not have it.

use super::{
    ClusterError, Element, ElementId, ElementState,
    element::{number, reason},
};

const COMMAND: &str = "sacct";

/// The fields that [`parse`] reads. The name is last, since it can contain anything.
pub(super) const FORMAT: &str = "JobID,JobIDRaw,State,ExitCode,Submit,Reason,JobName";

/// Reads the lines that [`FORMAT`] gives with `--parsable2`, with times as Unix seconds. Elements that wait have one line in common
/// (`1_[12-15]`), which is left out: `squeue` knows them.
pub(super) fn parse(printed: &str) -> Result<Vec<Element>, ClusterError> {
    let is_single = |line: &&str| !line.trim().is_empty() && !line.split('|').next().unwrap_or("").contains('[');
    printed.lines().filter(is_single).map(element).collect()
}

fn element(line: &str) -> Result<Element, ClusterError> {
    let unreadable = || ClusterError::Unreadable { command: COMMAND.into(), printed: line.into() };
    let fields: Vec<&str> = line.splitn(7, '|').collect();
    let [id, job, state, ended, submitted, why, name] = fields[..] else { return Err(unreadable()) };
    let id = match id.split_once('_') {
        Some((array, task)) => {
            ElementId { array: number(COMMAND, array, line)?, task: Some(number(COMMAND, task, line)?) }
        }
        None => ElementId { array: number(COMMAND, id, line)?, task: None },
    };
    let (code, signal) = ended.split_once(':').ok_or_else(unreadable)?;
    let (code, signal): (i32, i32) = (number(COMMAND, code, line)?, number(COMMAND, signal, line)?);
    let state = ElementState::named(state);
    let over = !state.is_underway();
    // The reason is why it waited, long ago.
    let why = if over { String::new() } else { reason(why) };
    Ok(Element {
        id,
        job: number(COMMAND, job, line)?,
        state,
        reason: why,
        exit_code: (over && signal == 0).then_some(code),
        signal: (over && signal != 0).then_some(signal),
        restarts: None,
        submitted: number(COMMAND, submitted, line)?,
        name: name.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by Slurm 22.05.8 for the array of the test of `squeue`.
    const PRINTED: &str = "\
1_0|2|COMPLETED|0:0|1795933575|None|taper name with | bar
1_1|3|FAILED|3:0|1795933575|None|taper name with | bar
1_2|4|FAILED|0:9|1795933575|None|taper name with | bar
1_4|6|CANCELLED by 0|0:0|1795933575|None|taper name with | bar
1_5|7|TIMEOUT|0:0|1795933575|None|taper name with | bar
1_13|15|RUNNING|0:0|1795933575|None|taper name with | bar
1_3|5|COMPLETED|0:0|1795933578|BeginTime|taper name with | bar
1_[14-15]|1|PENDING|0:0|1795933575|Resources|taper name with | bar
17|17|RUNNING|0:0|1795933575|None|s2.sh
";

    #[test]
    fn every_state_is_read() {
        let read = parse(PRINTED).unwrap();
        let shown: Vec<_> = read.iter().map(|e| (e.id.to_string(), e.described())).collect();
        let expected = [
            ("1_0", "completed"),
            ("1_1", "failed (exit code 3)"),
            ("1_2", "failed (signal 9)"),
            ("1_4", "cancelled"),
            ("1_5", "timed out"),
            ("1_13", "running"),
            ("1_3", "completed"),
            ("17", "running"),
        ];
        assert_eq!(shown, expected.map(|(id, said)| (id.to_string(), said.to_string())));
        assert!(read[0].is_of("taper name with | bar", 1795933575.0));
        assert!(matches!(parse("1_0|2"), Err(ClusterError::Unreadable { .. })));
    }
}
