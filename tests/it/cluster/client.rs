//! Slurm's client: what is submitted, and what is known of it.

use std::{collections::BTreeMap, fs};

use taper::cluster::{ClusterError, Element, ElementId, ElementState, JobId, Script, Slurm, SlurmSettings};

use super::{Cluster, read, wait_for};

/// What the elements of the array do: one for each end that a job can have.
const JOB: &str = r#"
case $1 in
0) exit 0 ;;
1) exit 3 ;;
2) kill -9 $$ ;;
3) exec sleep 600 ;;
4)
  [ -z "$SLURM_RESTART_COUNT" ] || { echo "again"; exit 0; }
  trap 'echo "asked"; touch asked; sleep 600 & wait' USR1
  touch listening
  while :; do sleep 0.1; done ;;
esac
"#;

#[test]
fn jobs_end_as_slurm_says() {
    let Some(cluster) = Cluster::start() else { return };
    let slurm = cluster.client();
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs %a");
    fs::create_dir(&logs).unwrap();
    fs::write(folder.path().join("job.sh"), JOB).unwrap();
    let settings = SlurmSettings {
        partition: Some("main".into()),
        time: Some("5".into()),
        cpus_per_task: Some(1),
        setup: vec!["export SAID='of setup'".into()],
        wrap: Some("env -u NONE".into()),
        extra: vec!["--comment=\"a b\"".into()],
        ..SlurmSettings::default()
    };
    let command = "bash job.sh \"$element\"";
    let script = Script { settings: &settings, logs: &logs, folder: folder.path(), command };
    let path = folder.path().join("array.sh");
    fs::write(&path, script.array().unwrap()).unwrap();
    assert_eq!(slurm.max_array_size(), Ok(1001));
    let name = "taper 外卖 | x";
    let job = slurm.submit_part(&path, &(0..5), Some(4), &logs, name).unwrap();
    // The part of element 1 of the submission, whose number in its array is 0.
    let part = slurm.submit_part(&path, &(1..2), None, &logs, name).unwrap();
    assert_ne!(job, part);
    let of = |task: u64| ElementId { array: job, task: Some(task) };

    wait_for("element 4", || folder.path().join("listening").exists().then_some(()));
    slurm.signal(&of(4), "USR1").unwrap();
    wait_for("the signal", || folder.path().join("asked").exists().then_some(()));
    slurm.requeue(&of(4)).unwrap();
    wait_for("element 3", || (element(&slurm, job, 3).state == ElementState::Running).then_some(()));
    slurm.cancel(&[of(3)]).unwrap();
    let ended = wait_for("the end", || ended(&slurm, &[job, part]));
    let said: Vec<_> = ended.values().map(|e| (e.id, e.described())).collect();
    let expected = [
        (of(0), "completed"),
        (of(1), "failed (exit code 3)"),
        (of(2), "failed (signal 9)"),
        (of(3), "cancelled"),
        (of(4), "completed"),
        (ElementId { array: part, task: Some(0) }, "failed (exit code 3)"),
    ];
    assert_eq!(said, expected.map(|(id, said)| (id, said.to_string())));
    assert_eq!(ended.values().map(|e| e.restarts).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 0].map(Some));
    assert!(ended.values().all(|e| e.is_of(name, now()) && !e.is_of("another", now())));
    let log = |name: &str| read(&logs.join(name)).unwrap();
    assert!(log("4.out").contains("asked\n") && log("4.out").ends_with("again\n"), "{:?}", log("4.out"));
    assert_eq!(log("1+0.out"), "", "the output of a later part has a name of its own");
    // A second time does nothing: it has ended, or its number is unknown.
    slurm.cancel(&[of(3), of(99)]).unwrap();
    assert_eq!(slurm.elements(&[99]), Ok(vec![]));
}

#[test]
fn what_slurm_refuses_is_said() {
    let Some(cluster) = Cluster::start() else { return };
    let slurm = cluster.client();
    let folder = tempfile::tempdir().unwrap();
    let submit = |settings: &SlurmSettings| {
        let script = Script { settings, logs: folder.path(), folder: folder.path(), command: "true" };
        let path = folder.path().join("single.sh");
        fs::write(&path, script.single().unwrap()).unwrap();
        slurm.submit(&path, None, "refused")
    };
    let nowhere = SlurmSettings { partition: Some("nowhere".into()), ..SlurmSettings::default() };
    let refused = submit(&nowhere).unwrap_err();
    assert!(
        matches!(&refused, ClusterError::Refused { why, .. } if why.contains("Invalid partition name")),
        "{refused}"
    );
    // Slurm accepts more time than the partition allows, and never starts the job.
    let long = SlurmSettings { partition: Some("short".into()), time: Some("10".into()), ..SlurmSettings::default() };
    let job = submit(&long).unwrap();
    let waiting = wait_for("a reason", || slurm.elements(&[job]).unwrap().pop().filter(|e| !e.reason.is_empty()));
    assert_eq!(waiting.id, ElementId { array: job, task: None });
    // `PartitionConfig`, and later `PartitionTimeLimit`.
    assert!(waiting.described().starts_with("pending (Partition"), "{}", waiting.described());
    slurm.cancel(&[waiting.id]).unwrap();
    let ended = wait_for("the end", || ended(&slurm, &[job]));
    assert_eq!(ended.into_values().map(|e| e.state).collect::<Vec<_>>(), [ElementState::Cancelled]);
}

/// The job that lives as long as its command does: asked to go, it is queued again.
#[test]
fn a_single_job_is_queued_again_when_it_is_asked_to_go() {
    let Some(cluster) = Cluster::start() else { return };
    let slurm = cluster.client();
    let folder = tempfile::tempdir().unwrap();
    let job = r#"
echo "start ${SLURM_RESTART_COUNT:-0}" >> said
trap 'echo "asked" >> said; exit 130' USR1
[ -z "$SLURM_RESTART_COUNT" ] || exit 0
while :; do sleep 0.1; done
"#;
    fs::write(folder.path().join("job.sh"), job).unwrap();
    let settings = SlurmSettings { requeues: 1, ..SlurmSettings::default() };
    let script = Script { settings: &settings, logs: folder.path(), folder: folder.path(), command: "bash job.sh" };
    let path = folder.path().join("single.sh");
    fs::write(&path, script.single().unwrap()).unwrap();
    let job = slurm.submit(&path, None, "controller").unwrap();
    let said = || read(&folder.path().join("said")).unwrap_or_default();
    wait_for("its start", || (said() == "start 0\n").then_some(()));
    slurm.signal(&ElementId { array: job, task: None }, "USR1").unwrap();
    let ended = wait_for("the end", || ended(&slurm, &[job]));
    assert_eq!(said(), "start 0\nasked\nstart 1\n");
    assert_eq!(ended.values().map(Element::described).collect::<Vec<_>>(), ["completed"]);
}

fn element(slurm: &Slurm, job: JobId, task: u64) -> Element {
    let all = slurm.elements(&[job]).unwrap();
    all.into_iter().find(|e| e.id.task == Some(task)).expect("an element of the array")
}

/// All elements, in their order, if none of them waits or runs.
fn ended(slurm: &Slurm, jobs: &[JobId]) -> Option<BTreeMap<ElementId, Element>> {
    let all = slurm.elements(jobs).unwrap();
    let over = !all.is_empty() && all.iter().all(|e| !e.state.is_underway());
    over.then(|| all.into_iter().map(|e| (e.id, e)).collect())
}

/// Unix time in seconds.
fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}
