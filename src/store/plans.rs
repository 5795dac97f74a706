//! The latest plan of each spec file and arguments. A plan belongs to a file: two files whose experiments have the same name have two
//! plans, and `--set lr=1e-4` over a file is a variant with its own plan.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

use rusqlite::{Transaction, params};

use super::{
    ExperimentRecord, Store, StoreError,
    columns::{Count, Json},
};

/// The latest plan of a spec file with certain arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRecord {
    /// Name of the experiment.
    pub experiment: String,
    /// The path of the spec file.
    pub spec: PathBuf,
    /// The settings in addition to the file: `--set`, `--profile`, environment variables.
    pub arguments: Vec<String>,
    /// Key and name of each of its runs, in the plan's order.
    pub runs: Vec<(String, String)>,
    /// The path as stored.
    pub(super) stored: String,
}

impl PlanRecord {
    /// Whether it is a plan of this spec file.
    pub fn is_of(&self, spec: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or(path.into());
        real(&self.spec) == real(spec)
    }

    /// Whether it is what the experiment consists of now: the plan of the file that was run last. Files may have the same plan.
    pub fn is_current(&self, experiment: &ExperimentRecord) -> bool {
        (&self.experiment, &self.arguments, &self.runs) == (&experiment.name, &experiment.arguments, &experiment.runs)
    }

    /// Whether the run of this key is in it.
    pub fn holds(&self, key: &str) -> bool {
        self.runs.iter().any(|(run, _)| run == key)
    }

    /// The path of the spec file relative to the current folder.
    pub fn spec_from_here(&self) -> PathBuf {
        // If the file is gone, its folder may still exist.
        let real = || {
            let folder = || Some(self.spec.parent()?.canonicalize().ok()?.join(self.spec.file_name()?));
            self.spec.canonicalize().ok().or_else(folder)
        };
        let below = |folder: PathBuf| Some(real()?.strip_prefix(folder).ok()?.to_path_buf());
        env::current_dir().and_then(fs::canonicalize).ok().and_then(below).unwrap_or_else(|| self.spec.clone())
    }
}

impl Store {
    /// All stored plans, by experiment, file and arguments.
    pub fn plans(&self) -> Result<Vec<PlanRecord>, StoreError> {
        let sql =
            "SELECT experiment, spec, arguments, run, name FROM plans ORDER BY experiment, spec, arguments, position";
        let folder = self.folder();
        self.read(|tx| {
            let mut plans: Vec<PlanRecord> = Vec::new();
            let mut statement = tx.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (experiment, stored): (String, String) = (row.get(0)?, row.get(1)?);
                let Json(arguments): Json<Vec<String>> = row.get(2)?;
                let run = (row.get(3)?, row.get(4)?);
                match plans.last_mut() {
                    Some(p) if (&p.experiment, &p.stored, &p.arguments) == (&experiment, &stored, &arguments) => {
                        p.runs.push(run);
                    }
                    _ => {
                        let spec = found(folder, &stored);
                        plans.push(PlanRecord { experiment, spec, arguments, runs: vec![run], stored });
                    }
                }
            }
            Ok(plans)
        })
    }

    /// Removes plans; their runs stay.
    pub fn remove_plans(&mut self, plans: &[PlanRecord]) -> Result<(), StoreError> {
        self.write(|tx| remove(tx, plans))
    }

    /// Equal plans of files that are gone: the spec was renamed or moved.
    pub(super) fn moved(&self, experiment: &ExperimentRecord, stored: &str) -> Result<Vec<PlanRecord>, StoreError> {
        let mut plans = self.plans()?;
        plans.retain(|plan| plan.is_current(experiment) && plan.stored != stored && !plan.spec.is_file());
        Ok(plans)
    }

    /// The runs folder.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The path of a spec file as stored.
    pub(super) fn stored_spec(&self, spec: &str) -> String {
        let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
        let from_folder = || relative(&real(self.folder())?, &real(Path::new(spec))?);
        from_folder().map_or_else(|| spec.to_string(), |path| path.to_string_lossy().into_owned())
    }
}

/// Removes plans; their runs stay.
pub(super) fn remove(tx: &Transaction<'_>, plans: &[PlanRecord]) -> rusqlite::Result<()> {
    let mut delete = tx.prepare("DELETE FROM plans WHERE experiment = ?1 AND spec = ?2 AND arguments = ?3")?;
    plans.iter().try_for_each(|p| delete.execute(params![p.experiment, p.stored, Json(&p.arguments)]).map(drop))
}

/// Replaces an experiment's latest plan with the same file and arguments.
pub(super) fn save(tx: &Transaction<'_>, experiment: &ExperimentRecord, stored: &str) -> rusqlite::Result<()> {
    let arguments = Json(&experiment.arguments);
    // Earlier versions stored the path as typed: it is the same file.
    for spec in [stored, &experiment.spec_path] {
        tx.execute(
            "DELETE FROM plans WHERE experiment = ?1 AND spec = ?2 AND arguments = ?3",
            params![experiment.name, spec, arguments],
        )?;
    }
    let mut insert = tx.prepare(
        "INSERT INTO plans (experiment, spec, arguments, position, run, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, (key, name)) in experiment.runs.iter().enumerate() {
        insert.execute(params![experiment.name, stored, arguments, Count(position as u64), key, name])?;
    }
    Ok(())
}

/// Resolves a stored path from the runs folder. Earlier versions stored paths as typed, relative to the project folder, which is usually
/// the current one or the parent of the runs folder.
fn found(runs: &Path, stored: &str) -> PathBuf {
    let from_runs = runs.join(stored);
    let above = runs.canonicalize().ok().and_then(|runs| Some(runs.parent()?.join(stored)));
    let mut others = [Some(PathBuf::from(stored)), above].into_iter().flatten();
    if from_runs.is_file() { from_runs } else { others.find(|path| path.is_file()).unwrap_or(from_runs) }
}

/// The relative path from a folder to a path, both absolute; `None` between two drives of Windows.
fn relative(folder: &Path, path: &Path) -> Option<PathBuf> {
    let (from, to): (Vec<Component<'_>>, Vec<_>) = (folder.components().collect(), path.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    (shared > 0).then(|| up.chain(to[shared..].iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    fn experiment(spec: &Path, arguments: &[&str], runs: &[&str]) -> ExperimentRecord {
        let arguments = arguments.iter().map(|a| a.to_string()).collect();
        ExperimentRecord { spec_path: spec.display().to_string(), arguments, ..testing::experiment("e", runs) }
    }

    #[test]
    fn every_file_and_every_variant_has_its_own_plan() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a/train.toml"), folder.path().join("b/train.toml"));
        for spec in [&a, &b] {
            fs::create_dir_all(spec.parent().unwrap()).unwrap();
            fs::write(spec, "").unwrap();
        }
        let mut store = Store::open(&folder.path().join("runs")).unwrap();
        store.save_experiment(&experiment(&a, &[], &["1", "2"])).unwrap();
        store.save_experiment(&experiment(&a, &["--set", "train.lr=1"], &["3"])).unwrap();
        store.save_experiment(&experiment(&b, &[], &["4"])).unwrap();
        store.save_experiment(&experiment(&a, &[], &["2", "5"])).unwrap();
        let of = |store: &Store, spec: &Path| {
            let plans = store.plans().unwrap().into_iter().filter(|plan| plan.is_of(spec));
            plans.map(|p| (p.arguments.len(), p.runs.into_iter().map(|r| r.0).collect())).collect::<Vec<(_, Vec<_>)>>()
        };
        assert_eq!(of(&store, &a), [(2, vec!["3".into()]), (0, vec!["2".into(), "5".to_string()])]);
        assert_eq!(of(&store, &b), [(0, vec!["4".into()])]);
        let plans = store.plans().unwrap();
        assert_eq!(plans[0].stored, "../a/train.toml", "project folders can be moved");
        store.remove_runs(&["2".into()]).unwrap();
        assert!(store.plans().unwrap().iter().any(|plan| plan.holds("2")), "a removed run stays planned");
        store.remove_plans(&plans[..1]).unwrap();
        assert_eq!(store.plans().unwrap().len(), plans.len() - 1);
    }

    #[test]
    fn relative_paths_between_folders() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).unwrap();
        assert_eq!(way("/a/runs", "/a/x.toml"), Path::new("../x.toml"));
        assert_eq!(way("/a/runs", "/a/runs/k/run.toml"), Path::new("k/run.toml"));
        assert_eq!(way("/r", "/b/c/x.toml"), Path::new("../b/c/x.toml"));
    }
}
