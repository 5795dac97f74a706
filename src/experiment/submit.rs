//! Submits the runs of an experiment to be trained elsewhere.

use super::{Experiment, ExperimentError, runs::register};
use crate::{
    execute::{Planning, Skipped, SubmitOptions, Submitted, collect, write_jobs},
    observe::{Listener, Listeners, Recorder},
    store::Store,
};

impl Experiment {
    /// Plans and registers the runs, and writes the jobs of those that are not done into a new submission's folder, without training them;
    /// `None` if there are none. Also returns the runs that are left out, with the reasons. What earlier submissions have finished is collected
    /// first. `options.runs` must be the folder of this experiment.
    ///
    /// # Errors
    /// As [`Self::plan`]; and errors of the store and of files.
    pub fn write_jobs(
        &mut self,
        options: &SubmitOptions,
    ) -> Result<(Option<Submitted>, Vec<Skipped>), ExperimentError> {
        let (mut store, _planning) = self.registered()?;
        let mut listeners = Listeners::new().with(Recorder::new(Store::open(store.folder())?)?);
        let planner = self.planner.as_ref().expect("planned before its runs were registered");
        let submitted = write_jobs(&mut store, &planner.runs, options, &mut listeners);
        listeners.finish()?;
        Ok(submitted?)
    }

    /// Plans and registers the runs, as far as they are known, and returns the store. What earlier submissions have finished is collected.
    ///
    /// # Errors
    /// As [`Self::plan`]; and errors of the store and of files.
    pub fn register(&mut self) -> Result<Store, ExperimentError> {
        Ok(self.registered()?.0)
    }

    /// Takes back the plan that was stored last, after the cluster accepted nothing of it: the experiment consists of the same runs as before.
    ///
    /// # Errors
    /// Errors of the store.
    pub fn take_back(&mut self) -> Result<(), ExperimentError> {
        let Some((stored, before)) = self.stored.take() else { return Ok(()) };
        let mut store = Store::open(&self.options.runs).map_err(ExperimentError::NoStore)?;
        Ok(store.take_back(&stored, &before)?)
    }

    fn registered(&mut self) -> Result<(Store, Planning), ExperimentError> {
        let folder = self.options.runs.clone();
        let mut store = Store::open(&folder).map_err(ExperimentError::NoStore)?;
        let some_unknown = !collect(&mut store, &folder)?.unknown.is_empty();
        if self.planner.is_none() {
            self.plan()?;
        }
        let planner = self.planner.as_mut().expect("planned above");
        let planning = Planning::begin(&folder, &planner.spec.spec().name)?;
        planner.save_lock()?;
        planner.record_proposals(&mut store)?;
        let keys = planner.runs.iter().map(|run| run.key.clone());
        let before = store.before(&planner.spec.spec().name, keys)?;
        self.stored = Some((register(&mut store, planner)?, before));
        // Of runs that the database did not know before.
        if some_unknown {
            collect(&mut store, &folder)?;
        }
        Ok((store, planning))
    }
}
