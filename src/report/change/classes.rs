//! Recall and F1 of each label before and after training.

use super::rows::Row;
use crate::{
    metrics::{Counts, Target},
    stats::{Interval, wilson},
};

/// A label before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassChange {
    /// Its id.
    pub id: usize,
    /// Its counts before training.
    pub before: Counts,
    /// Its counts with the kept weights.
    pub after: Counts,
}

impl ClassChange {
    /// Wilson's 95% interval of the recall after training; `None` without rows.
    pub fn interval(&self) -> Option<Interval> {
        (self.after.support > 0).then(|| wilson(self.after.right, self.after.support))
    }

    /// By how much F1 rose; 0 if it is not defined before or after.
    pub fn rise(&self) -> f64 {
        let rise = self.after.f1() - self.before.f1();
        if rise.is_finite() { rise } else { 0.0 }
    }
}

/// Every label of the run, by id.
pub fn classes(rows: &[Row<'_>], labels: usize) -> Vec<ClassChange> {
    let mut found: Vec<ClassChange> =
        (0..labels).map(|id| ClassChange { id, before: Counts::default(), after: Counts::default() }).collect();
    let known = |ids: &[u32]| ids.iter().map(|id| *id as usize).filter(|id| *id < labels).collect::<Vec<_>>();
    for row in rows {
        let own = known(row.after.label.ids());
        let mut add = |predicted: &Target, of: fn(&mut ClassChange) -> &mut Counts| {
            own.iter().for_each(|id| of(&mut found[*id]).support += 1);
            for id in known(predicted.ids()) {
                let counts = of(&mut found[id]);
                counts.predicted += 1;
                counts.right += u64::from(own.contains(&id));
            }
        };
        add(&row.before.predicted, |class| &mut class.before);
        add(&row.after.predicted, |class| &mut class.after);
    }
    found
}
