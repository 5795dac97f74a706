//! `taper run --executor slurm`: the sweep is trained by Slurm while the command reads what its jobs report.

use super::{
    Cluster, is_running, send,
    sweep::{LONG, Sweep, id, wait_quickly},
    wait_for,
};
use crate::element::assert_same;

#[test]
fn an_attached_sweep_gives_the_rows_of_a_local_one() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(cluster, &[]);
    let (code, _, said) = sweep.attached(&[]);
    assert!(code == 0 && said.contains("on the cluster: at most 12 jobs at a time"), "{code}: {said}");
    assert_eq!(sweep.states(), vec!["completed"; 12]);
    assert_same(&sweep.rows(), &sweep.trained_here());
    let runs = sweep.submitted(None);
    assert!(runs.len() == 12 && runs.iter().all(|run| run.submission == 1 && run.collected_at.is_some()));
    assert!(sweep.ok(&["logs", &runs[3].run]).contains(": completed\n"));
    assert_eq!(sweep.ok(&["collect"]), "nothing to collect\n");
}

/// Of five runs the job of one is cancelled by somebody else; then the command is killed while the others train.
#[test]
fn a_command_that_was_killed_is_continued_by_the_next() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(cluster, &LONG);
    let mut command = sweep.start(&[]);
    let runs = wait_for("the jobs", || Some(sweep.all_submitted()).filter(|runs| runs.len() == 5));
    let workers = sweep.hold_all(&runs);
    sweep.cluster.client().cancel(&[id(&runs[1])]).expect("Slurm");
    send("-CONT", workers[1]);
    let said = sweep.read_until(&mut command, "was cancelled");
    assert!(said.contains(&format!("the job {} of `", id(&runs[1]))), "{said}");
    send("-KILL", command.id());
    command.wait().expect("its end");
    [0, 2, 3, 4].iter().for_each(|run| send("-CONT", workers[*run]));

    // Those that their jobs train are waited for; the other one continues.
    let (code, _, said) = sweep.attached(&[]);
    assert_eq!(code, 0, "{said}");
    let again: Vec<String> = sweep.submitted(Some(2)).into_iter().map(|run| run.run).collect();
    assert_eq!(again, [runs[1].run.clone()], "{said}");
    assert!(sweep.log(&sweep.submitted(Some(2))[0]).contains("resumes at step"), "{said}");
    assert_eq!(sweep.states(), ["completed"; 5]);
    assert_same(&sweep.rows(), &sweep.trained_here());
}

#[test]
fn ctrl_c_pauses_the_jobs_and_the_same_command_continues_them() {
    let Some(cluster) = Cluster::start() else { return };
    // Two of the three jobs fit at a time.
    let sets = ["--set", "sweep.seeds=[1]", "--set", "slurm.cpus_per_task=4", "--set", "train.epochs=40"];
    let sweep = Sweep::new(cluster, &sets);
    let mut command = sweep.start(&["--threads", "1"]);
    let runs = wait_for("the jobs", || Some(sweep.all_submitted()).filter(|runs| runs.len() == 3));
    let (held, worker) =
        wait_quickly("a checkpoint", || runs.iter().find_map(|run| sweep.hold(run).map(|worker| (run, worker))));
    send("-INT", command.id());
    let said = sweep.read_until(&mut command, "stopping: pending jobs are cancelled");
    // The order comes later than the message. A run that trains meanwhile could end before.
    wait_for("the order to stop", || sweep.log(held).contains("asked to stop").then_some(()));
    // Slurm continues a job that it signals: the worker has possibly ended.
    if is_running(worker) {
        send("-CONT", worker);
    }
    let more = sweep.read_until(&mut command, "");
    assert_eq!(command.wait().expect("its end").code(), Some(130), "{said}{more}");
    // Slurm shows a job for a moment after its command has ended.
    let arrays: Vec<_> = runs.iter().map(|run| id(run).array).collect();
    wait_for("the end of the jobs", || {
        let elements = sweep.cluster.client().elements(&arrays).expect("Slurm");
        elements.iter().all(|element| !element.state.is_underway()).then_some(())
    });
    let states = sweep.states();
    assert!(states.iter().any(|state| state == "interrupted"), "{states:?}");
    let (code, _, said) = sweep.attached(&["--threads", "1"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(sweep.states(), ["completed"; 3]);
    assert_same(&sweep.rows(), &sweep.trained_here());
}

/// What a job submits is what a command would train: which trials there are, and which end early.
#[test]
fn a_job_submits_the_runs_of_a_sweep_that_decides() {
    let Some(cluster) = Cluster::start() else { return };
    let search = [
        "sweep.search=tpe",
        "sweep.trials=4",
        "sweep.batch=2",
        "sweep.startup_trials=2",
        "sweep.prune=asha",
        "sweep.reduction_factor=2",
        "sweep.seeds=[1]",
        "sweep.axes.train.lr={log=[1e-4, 1e-2]}",
    ];
    let sets: Vec<&str> = search.iter().flat_map(|set| ["--set", *set]).collect();
    let sweep = Sweep::new(cluster, &sets);
    let script = sweep.submit(&["--dry-run"]);
    assert!(script.contains("would submit 1 job, which submits the jobs of the runs"), "{script}");
    assert!(!script.contains("cpus-per-task=") && script.contains(" --executor slurm "), "{script}");
    // One at a time, so that no decision depends on which job is faster.
    let said = sweep.submit(&["--max-parallel", "1"]);
    assert!(said.contains("submitted job "), "{said}");
    let again = sweep.submit(&["--max-parallel", "1"]);
    assert!(again.contains("nothing to submit: job "), "{again}");
    let listed = sweep.ok(&["list", "away"]);
    assert!(listed.contains("submitted by a job of its own: job "), "{listed}");
    wait_for("the end of the sweep", || {
        let listed = sweep.ok(&["list", "away"]);
        (!listed.contains("submitted by a job of its own")).then_some(())
    });
    let log = std::fs::read_dir(sweep.sandbox.path("runs/slurm/1/logs")).expect("its folder").flatten().next();
    let log = super::read(&log.expect("its output").path()).expect("text");
    let states = sweep.states();
    assert!(states.len() == 4 && states.iter().any(|state| state == "pruned"), "{states:?}: {log}");
    assert_same(&sweep.rows(), &sweep.trained_here());
}
