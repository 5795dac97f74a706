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
