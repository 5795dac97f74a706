//! `[slurm]`: settings of jobs.

use taper::spec::{LoadOptions, SlurmSettings};

use super::{minimal, one, options};

#[test]
fn settings_of_jobs_arrive_and_belong_to_no_run() {
    let text = "slurm = { partition = \"gpu,cpu\", time = 90, mem = 4000, gres = \"gpu:a100:2\", setup = [\"module load a b\"] }\n";
    let files = one(text);
    let loaded = files.load_with("a.toml", &options(None, &["slurm.time=1:30:00"], &[])).unwrap();
    let expected = SlurmSettings {
        partition: Some("gpu,cpu".into()),
        time: Some("1:30:00".into()),
        mem: Some("4000".into()),
        gres: Some("gpu:a100:2".into()),
        setup: vec!["module load a b".into()],
        ..SlurmSettings::default()
    };
    assert_eq!(loaded.spec().slurm, expected);
    // The name comes from the file.
    files.0.write("b.toml", minimal("name = \"a\"\n"));
    let without = files.load("b.toml").unwrap();
    assert_eq!(taper::plan::resolve(loaded.spec()).unwrap(), taper::plan::resolve(without.spec()).unwrap());
    assert_eq!(without.spec().slurm, SlurmSettings::default(), "the defaults of the table are those of the type");
    let minutes = files.load("a.toml").unwrap();
    assert_eq!(minutes.spec().slurm.time.as_deref(), Some("90"));
}

#[test]
fn what_slurm_would_misread_is_refused_where_it_is_written() {
    let text = "[slurm]\npartition = \"gpu nodes\"\ntime = \"2h\"\nmem = \"4GB\"\nwrap = \"a\\nb\"\nextra = [\"--exclusive\", \"--array=1-3\", 5]\n\
                cpus_per_task = 0\nsetup = \"module load x\"\nqueue = \"gpu\"\n";
    let problems = one(text).problems("a.toml", &LoadOptions::default());
    insta::assert_snapshot!(problems);
}

#[test]
fn a_time_that_is_over_before_the_signal_is_refused() {
    let files = one("[slurm]\ntime = \"2\"\n");
    let problems = files.problems("a.toml", &LoadOptions::default());
    assert!(
        problems.contains("a.toml:4:8: `slurm.time` = \"2\" is 120 s, and `slurm.signal_seconds` = 120"),
        "{problems}"
    );
    for fine in ["slurm.signal_seconds=119", "slurm.time=0", "slurm.time=2:01", "slurm.time=UNLIMITED"] {
        assert!(files.load_with("a.toml", &options(None, &[fine], &[])).is_ok(), "{fine}");
    }
}

/// Slurm reads a number as MiB, and one or two numbers as minutes and seconds.
#[test]
fn amounts_without_a_unit_that_are_too_small_give_a_warning() {
    let files = one("[slurm]\nmem = 8\n");
    let warnings = |sets: &[&str]| -> Vec<String> {
        let loaded = files.load_with("a.toml", &options(None, sets, &[])).unwrap();
        let root = format!("{}/", files.0.root().display());
        loaded.warnings().iter().map(|warning| warning.message.replace(&root, "")).collect()
    };
    let mem = "slurm.mem = 8 (a.toml:4) has no unit, and Slurm reads it as 8 MiB, in which hardly any run can train: for 8 GiB, write \"8G\" (or \
               \"8M\" if that is meant)";
    assert_eq!(warnings(&[]), [mem]);
    for fine in ["0", "8G", "8M", "4000"] {
        assert_eq!(warnings(&[&format!("slurm.mem={fine}")]), [""; 0], "{fine}");
    }
    let time = |time: &str| warnings(&["slurm.mem=8G", &format!("slurm.time={time}")]);
    let minutes = "slurm.time = \"24\" (--set slurm.time=24) is 24 minutes for Slurm: for 24 hours, write \"24:00:00\" (or \"0:24:00\" if \
                   that is meant)";
    assert_eq!(time("24"), [minutes]);
    let clock = "slurm.time = \"4:30\" (--set slurm.time=4:30) is 4 minutes and 30 seconds for Slurm: for hours and minutes, write \
                 \"4:30:00\" (or \"0:04:30\" if that is meant)";
    assert_eq!(time("4:30"), [clock]);
    for fine in ["0:24:00", "30", "90", "10:00", "30:00", "60:00", "1-12", "2-0", "4:00:00", "UNLIMITED"] {
        assert_eq!(time(fine), [""; 0], "{fine}");
    }
}
