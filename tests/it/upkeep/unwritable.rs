//! Runs that can only be read: a foreign folder, a read-only disk, a full one.

use super::*;

/// A mount that ends with the test.
struct Mount(PathBuf);

impl Mount {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new(arguments: &[&str], path: &Path) -> Option<Self> {
        let status = Command::new("mount").args(arguments).arg(path).stderr(Stdio::null()).status();
        let mount = status.is_ok_and(|status| status.success()).then(|| Self(path.into()));
        if mount.is_none() {
            eprintln!("skipped: this process may not mount a file system");
        }
        mount
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The runs folder, mounted on itself so that nothing in it can be written.
fn read_only(sandbox: &Sandbox) -> Option<Mount> {
    let runs = sandbox.path("runs");
    let mount = Mount::new(&["--bind", &runs.display().to_string()], &runs)?;
    let again = Command::new("mount").args(["-o", "remount,ro,bind"]).arg(&runs).status();
    (again.is_ok_and(|status| status.success()) && fs::write(runs.join("x"), "").is_err()).then_some(mount)
}

/// Everything that only looks.
fn assert_readable(sandbox: &Sandbox, key: &str) {
    for arguments in [
        &["list"][..],
        &["list", "small", "--leaderboard"],
        &["show", key],
        &["plan", "small.toml"],
        &["report", "small", "--out", "elsewhere"],
        &["predict", key, "好吃"],
        &["export", key, "exported"],
        &["gc"],
    ] {
        sandbox.ok(arguments);
    }
    assert!(sandbox.path("elsewhere/report.html").is_file() && sandbox.path("exported/model.safetensors").is_file());
    fs::remove_dir_all(sandbox.path("exported")).expect("a folder");
}

#[test]
fn a_read_only_runs_folder_can_be_looked_at() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    let Some(mount) = read_only(&sandbox) else { return };
    assert_readable(&sandbox, &key);
    for (arguments, expected) in [
        (&["rm", key.as_str(), "--yes"][..], 2),
        (&["run", "small.toml", "--set", "train.seed=7", "--set", "sweep.seeds=[]"], 2),
        (&["report", "small"], 2),
    ] {
        let (code, said) = sandbox.says(arguments);
        assert!(code == expected && (said.contains("ead-only") || said.contains("writ")), "{arguments:?}: {said}");
    }
    assert!(sandbox.says(&["report", "small"]).1.contains("choose another folder with --out DIR"));
    // It is the folder that cannot be written, and not its file system that has no locks; no folder of taper's own is named.
    let said = sandbox.says(&["rm", &key, "--yes"]).1;
    assert!(said.contains("runs/locks") && !said.contains("file system with locks"), "{said}");
    let said = sandbox.says(&["export", &key, "runs/exported"]).1;
    assert!(said.contains("/runs: ") && !said.contains(".taper-export"), "{said}");
    drop(mount);
    assert_eq!(sandbox.keys().len(), 2, "nothing was removed");
}

#[test]
fn a_log_that_a_killed_process_left_and_an_older_schema_are_read_too() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    // A connection that is not closed leaves its transactions in the log.
    let open = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
    open.execute("UPDATE runs SET message = 'from the log' WHERE key = ?1", [&key]).expect("an update");
    for name in ["taper.db", "taper.db-wal"] {
        fs::copy(sandbox.path("runs").join(name), sandbox.path(name)).expect("a copy");
    }
    drop(open);
    for name in ["taper.db", "taper.db-wal"] {
        fs::copy(sandbox.path(name), sandbox.path("runs").join(name)).expect("put back");
    }
    {
        let Some(_mount) = read_only(&sandbox) else { return };
        let show = sandbox.ok(&["show", &key, "--json"]);
        assert!(show.contains("from the log"), "{show}");
        assert_readable(&sandbox, &key);
    }
    let before: i64 = {
        let db = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
        let version = db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("its version");
        for metric in ["loss", "accuracy", "macro_f1", "calibration_error"] {
            let value = format!(
                "SELECT value FROM metrics m WHERE (m.run, m.phase, m.step, m.split) = (evals.run, evals.phase, evals.step,
                     evals.split) AND metric = '{metric}'"
            );
            db.execute_batch(&format!(
                "ALTER TABLE evals ADD COLUMN {metric} REAL; UPDATE evals SET {metric} = ({value})"
            ))
            .expect("a column of version 7");
        }
        db.execute_batch(
            "DROP VIEW v_runs; DROP VIEW v_experiment_runs; DROP VIEW v_metrics; DROP VIEW v_steps; ALTER TABLE predictions DROP COLUMN text_pair; DROP TABLE metrics; DROP TABLE proposals; DROP TABLE settings; DROP TABLE predictions_before; DROP TABLE submission_elements; DROP TABLE submissions; DROP TABLE audits; ALTER TABLE runs DROP COLUMN audit; ALTER TABLE probes ADD COLUMN position INTEGER; ALTER TABLE runs DROP COLUMN waits_at;
             ALTER TABLE experiment_runs DROP COLUMN trial; ALTER TABLE experiments DROP COLUMN prunes; ALTER TABLE experiments DROP COLUMN to_come; ALTER TABLE predictions DROP COLUMN target; ALTER TABLE predictions DROP COLUMN predicted_target;
             ALTER TABLE runs DROP COLUMN decided; ALTER TABLE runs DROP COLUMN pruned_rung; ALTER TABLE runs DROP COLUMN pruned_by;
             ALTER TABLE evals DROP COLUMN co_occurrence; ALTER TABLE probes DROP COLUMN is_right; ALTER TABLE probes DROP COLUMN confidence; PRAGMA user_version = 7",
        )
        .expect("an older schema");
        version
    };
    let Some(_mount) = read_only(&sandbox) else { return };
    assert!(before > 7);
    assert_readable(&sandbox, &key);
}

#[test]
fn on_a_full_disk_runs_can_be_looked_at_and_removed() {
    let sandbox = trained();
    let [a, b] = sandbox.keys().try_into().expect("two runs");
    let moved = sandbox.path("moved");
    fs::rename(sandbox.path("runs"), &moved).expect("moved");
    fs::create_dir(sandbox.path("runs")).expect("a folder");
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=6m", "tmpfs"], &sandbox.path("runs")) else { return };
    let copied = Command::new("cp").args(["-a", "."]).arg(sandbox.path("runs")).current_dir(&moved).status();
    assert!(copied.expect("cp").success());
    // Whatever room is left is taken.
    let full = fs::write(sandbox.path("runs/other"), vec![1; 8 << 20]).expect_err("the disk has room").to_string();
    assert!(full.contains("No space"), "{full}");
    assert_readable(&sandbox, &a);
    let (code, said) = sandbox.says(&["report", "small"]);
    assert!(code == 1 && said.contains("its disk is full: free up space") && !said.contains("Error"), "{said}");
    fs::write(sandbox.folder(&b).join("state.tmp"), "").expect("an empty file");
    sandbox.ok(&["gc", "--yes"]);
    assert!(!sandbox.folder(&b).join("state.tmp").exists());
    sandbox.ok(&["rm", &a, "--yes"]);
    assert_eq!(sandbox.keys(), [b.as_str()]);
    assert!(!sandbox.folder(&a).exists());
    // A report with its charts is larger than a tiny model.
    fs::remove_file(sandbox.path("runs/other")).expect("it filled the disk");
    sandbox.ok(&["report", "small"]);
}
