//! Several models that answer together: for `taper predict` and `taper eval`. Often there is only one.

use super::{Classifier, ExecuteError};
use crate::{
    data::RowText,
    metrics::{Metrics, Tally},
    task::{Answer, Target, Task},
};

/// Models whose answers are averaged ([`Answer::mean`]). All are in memory together. One alone answers for itself.
pub struct Ensemble {
    members: Vec<Member>,
    /// The thresholds of the mean, if all members have the same.
    thresholds: Option<Vec<f64>>,
}

struct Member {
    /// What messages call it.
    name: String,
    model: Classifier,
    /// Its id of each label of the first member, if the order differs.
    order: Option<Vec<u32>>,
}

impl Member {
    /// Its thresholds, in the order of the labels of the first member.
    fn thresholds(&self) -> Option<Vec<f64>> {
        let own = self.model.decision().thresholds.as_ref()?;
        Some(match &self.order {
            // Of two labels there is one threshold, that of the second label.
            Some(_) if own.len() == 1 => vec![1.0 - own[0]],
            Some(order) => order.iter().map(|&id| own[id as usize]).collect(),
            None => own.clone(),
        })
    }
}

impl Ensemble {
    /// Of models with their names in messages. Labels are those of the first model, in its order.
    ///
    /// # Errors
    /// If the models differ in what they are trained to do, or in their labels.
    ///
    /// # Panics
    /// Without models.
    pub fn new(models: Vec<(String, Classifier)>) -> Result<Self, ExecuteError> {
        let (task, labels) = (models[0].1.task(), models[0].1.labels().to_vec());
        let members = models.into_iter().map(|(name, model)| {
            let order = order(&labels, model.labels()).filter(|_| model.task() == task).ok_or_else(|| {
                ExecuteError::Setting(format!("{name}: its labels differ from those of the first model"))
            })?;
            let order = order.iter().enumerate().any(|(at, id)| at != *id as usize).then_some(order);
            Ok(Member { name, model, order })
        });
        let members = members.collect::<Result<Vec<Member>, ExecuteError>>()?;
        let decided = members[0].thresholds();
        let same = members.iter().all(|member| member.thresholds() == decided);
        Ok(Self { members, thresholds: decided.filter(|_| same) })
    }

    /// What the models were trained to do.
    pub fn task(&self) -> Task {
        self.members[0].model.task()
    }

    /// Names of the labels, by id.
    pub fn labels(&self) -> &[String] {
        self.members[0].model.labels()
    }

    /// Whether members have thresholds that the mean does not use, because they differ.
    pub fn ignores_thresholds(&self) -> bool {
        self.thresholds.is_none() && self.members.iter().any(|member| member.model.decision().thresholds.is_some())
    }

    /// The first text that a member cannot classify, and why: see [`Classifier::refused`].
    pub fn refused(&self, texts: &[RowText<'_>]) -> Option<(usize, ExecuteError)> {
        self.members.iter().filter_map(|member| member.model.refused(texts)).min_by_key(|(at, _)| *at)
    }

    /// Messages about the texts that were cut so far; with several models each with the name of its model.
    pub fn cut(&self) -> Vec<String> {
        let alone = self.members.len() == 1;
        let of = |member: &Member| {
            let what = member.model.cut()?;
            Some(if alone { what } else { format!("{}: {what}", member.name) })
        };
        self.members.iter().filter_map(of).collect()
    }

    /// What each member says of each text, member by member, with the labels in the order of the first. After every batch `progress` is called
    /// with the number of texts done; a text counts in parts, one for each member.
    pub fn each(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Answer>>, ExecuteError> {
        let of = self.members.len();
        let answers = self.members.iter_mut().enumerate().map(|(at, Member { model, order, .. })| {
            let answers = model.answers(texts, &mut |done| progress((at * texts.len() + done) / of))?;
            Ok(match order {
                None => answers,
                Some(order) => answers.into_iter().map(|answer| answer.reordered(order)).collect(),
            })
        });
        answers.collect()
    }

    /// What members say of one text, taken together.
    ///
    /// # Panics
    /// If there are not as many answers as members.
    pub fn together(&self, answers: &[&Answer]) -> Answer {
        assert_eq!(answers.len(), self.members.len(), "an answer of each member");
        match answers {
            // With its own thresholds, and without rounding.
            [only] => (*only).clone(),
            _ => Answer::mean(answers, self.thresholds.as_deref()),
        }
    }

    /// What the members say of each text together. After every batch `progress` is called, as by [`Self::each`].
    pub fn answers(
        &mut self,
        texts: &[RowText<'_>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Answer>, ExecuteError> {
        let mut each = self.each(texts, progress)?;
        if each.len() == 1 {
            return Ok(each.remove(0));
        }
        let of_text = |at: usize| each.iter().map(|answers| &answers[at]).collect::<Vec<_>>();
        Ok((0..texts.len()).map(|at| self.together(&of_text(at))).collect())
    }

    /// Metrics on texts with these targets. After every batch `progress` is called, as by [`Self::each`].
    ///
    /// # Panics
    /// If there are not as many targets as texts, if they are of another task, or if the models lack one of the labels.
    pub fn evaluate(
        &mut self,
        texts: &[RowText<'_>],
        targets: &[Target],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Metrics, ExecuteError> {
        /// Texts that are tokenised at a time, to save memory.
        const TEXTS_AT_ONCE: usize = 4096;
        assert_eq!(texts.len(), targets.len(), "a target for each text");
        let (mut tally, mut before) = (Tally::new(self.labels().len()), 0);
        for (texts, targets) in texts.chunks(TEXTS_AT_ONCE).zip(targets.chunks(TEXTS_AT_ONCE)) {
            for (answer, target) in self.answers(texts, &mut |done| progress(before + done))?.iter().zip(targets) {
                tally.add(answer.scored(target));
            }
            before += texts.len();
        }
        Ok(tally.metrics(self.labels()))
    }
}

/// The id in `other` of each of `labels`; `None` if they are not the same labels.
fn order(labels: &[String], other: &[String]) -> Option<Vec<u32>> {
    let id = |label: &String| other.iter().position(|of| of == label).map(|id| id as u32);
    (labels.len() == other.len()).then(|| labels.iter().map(id).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_name() {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<String>>();
        let of = |other: &[&str]| order(&names(&["a", "b", "c"]), &names(other));
        assert_eq!(of(&["c", "a", "b"]), Some(vec![1, 2, 0]));
        assert_eq!(of(&["a", "b", "c"]), Some(vec![0, 1, 2]));
        for other in [&["a", "b"][..], &["a", "b", "d"], &["a", "b", "c", "d"]] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
