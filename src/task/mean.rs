//! What several models say of a text together: the mean of what each says.

use super::{
    Answer, Decision, Target,
    answer::{Evidence, log_mean_exp},
};

impl Answer {
    /// The same with the labels, or numbers, in another order: what was at `order[i]` is at `i`.
    ///
    /// # Panics
    /// If `order` does not have each id of the answer once.
    #[must_use]
    pub fn reordered(self, order: &[u32]) -> Self {
        let of = |log: &[f64]| order.iter().map(|&id| log[id as usize]).collect::<Vec<f64>>();
        let new = |old: u32| order.iter().position(|&id| id == old).expect("each id once") as u32;
        let predicted = match &self.predicted {
            Target::Label(id) => Target::Label(new(*id)),
            Target::Labels(ids) => Target::labels(ids.iter().map(|&id| new(id)).collect()),
            Target::Values(values) => Target::values(of(values)),
        };
        let probabilities = match self.probabilities.is_empty() {
            true => Vec::new(),
            false => order.iter().map(|&id| self.probabilities[id as usize]).collect(),
        };
        let evidence = match &self.evidence {
            Evidence::Label(log) => Evidence::Label(of(log)),
            Evidence::Labels(with, without) => Evidence::Labels(of(with), of(without)),
            Evidence::Numbers => Evidence::Numbers,
        };
        Self { predicted, probabilities, evidence }
    }

    /// The mean of what several models say of one text, each with the same labels in the same order: of the probabilities, which weigh the same
    /// for each model, or of the numbers. What the models predict by thresholds of their own does not count: `thresholds` apply to the means as
    /// those of a [`Decision`] do.
    ///
    /// The mean is taken in float64, in the order of the models, and of logarithms, so that a small probability stays above 0.
    ///
    /// # Panics
    /// Without answers, or if they are of different tasks or numbers of labels.
    pub fn mean(answers: &[&Self], thresholds: Option<&[f64]>) -> Self {
        let logs = |log: fn(&Evidence) -> &[f64]| -> Vec<f64> {
            let of: Vec<&[f64]> = answers.iter().map(|answer| log(&answer.evidence)).collect();
            (0..of[0].len()).map(|id| log_mean_exp(of.iter().map(|log| log[id]))).collect()
        };
        let mean = match answers[0].evidence {
            Evidence::Label(_) => Self::most_probable(logs(|evidence| match evidence {
                Evidence::Label(log) => log,
                _ => panic!("an answer of another task"),
            })),
            Evidence::Labels(..) => {
                let with = logs(|evidence| match evidence {
                    Evidence::Labels(with, _) => with,
                    _ => panic!("an answer of another task"),
                });
                let without = logs(|evidence| match evidence {
                    Evidence::Labels(_, without) => without,
                    _ => panic!("an answer of another task"),
                });
                Self::probable(with, without)
            }
            Evidence::Numbers => {
                let values: Vec<&[f64]> = answers.iter().map(|answer| answer.predicted.numbers()).collect();
                Self::mean_values(&values)
            }
        };
        mean.decided(&Decision { temperature: 1.0, thresholds: thresholds.map(<[f64]>::to_vec) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Task;

    fn near(found: &[f32], want: &[f64]) {
        assert_eq!(found.len(), want.len());
        assert!(found.iter().zip(want).all(|(found, want)| (f64::from(*found) - want).abs() < 1e-7), "{found:?}");
    }

    /// scipy.special.softmax in float64 and their mean: most models say label 1 or 2, and together they say 0.
    #[test]
    fn the_most_probable_label_is_that_of_the_mean() {
        let of = |logits: &[f32]| Task::SingleLabel.answer(logits);
        let answers = [of(&[1.0, 3.0, 2.0]), of(&[4.0, 0.0, 0.0]), of(&[0.0, 0.0, 0.5])];
        let want = [0.442_920_782_734_493_7, 0.318_992_665_616_689, 0.238_086_551_648_817_23];
        let mean = Answer::mean(&answers.each_ref(), None);
        near(mean.probabilities(), &want);
        assert_eq!(mean.predicted(), &Target::Label(0));
        let loss = mean.scored(&Target::Label(1)).loss();
        assert!((loss + want[1].ln()).abs() < 1e-12, "{loss}");

        // Each model's temperature is its own: the first divides its logits by 2.
        let calibrated = of(&[1.0, 3.0, 2.0]).decided(&Decision { temperature: 2.0, thresholds: None });
        let mean = Answer::mean(&[&calibrated, &answers[1]], None);
        near(mean.probabilities(), &[0.575_493_439_598_875_7, 0.262_074_406_534_851_03, 0.162_432_153_866_273_22]);
    }

    /// By hand: 0.2 and 0.9 are 0.55 in the mean.
    #[test]
    fn thresholds_of_the_models_do_not_count_and_those_of_the_mean_do() {
        let of = |p: f32| Answer::of_stored(Target::Label(0), vec![1.0 - p, p]);
        let strict = Decision { temperature: 1.0, thresholds: Some(vec![0.95]) };
        let answers = [of(0.2).decided(&strict), of(0.9).decided(&strict)];
        assert!(answers.iter().all(|answer| answer.predicted() == &Target::Label(0)));
        let predicted = |thresholds| Answer::mean(&answers.each_ref(), thresholds).predicted().clone();
        assert_eq!(predicted(None), Target::Label(1));
        assert_eq!(predicted(Some(&[0.55 + 1e-6])), Target::Label(0));
        assert_eq!(predicted(Some(&[0.55 - 1e-6])), Target::Label(1));
    }

    /// The mean of torch.sigmoid of three rows of logits.
    #[test]
    fn sets_of_labels_follow_from_mean_probabilities() {
        let of = |logits: &[f32]| Task::MultiLabel.answer(logits);
        let answers = [of(&[1.5, -0.25]), of(&[-2.0, 0.5]), of(&[0.25, -0.5])];
        let mean = Answer::mean(&answers.each_ref(), None);
        near(mean.probabilities(), &[0.499_651_299_700_519_75, 0.479_274_499_704_733_96]);
        assert_eq!(mean.predicted(), &Target::labels(vec![]));
        assert_eq!(Answer::mean(&answers.each_ref(), Some(&[0.6, 0.479])).predicted(), &Target::labels(vec![1]));
        let loss = mean.scored(&Target::labels(vec![1])).loss();
        assert!((loss - 0.713_965_900_233_405_8).abs() < 1e-12, "{loss}");
    }

    #[test]
    fn numbers_are_means_and_one_answer_is_itself() {
        let of = |logits: &[f32]| Task::Regression.answer(logits);
        let mean = Answer::mean(&[&of(&[1.5, -2.0]), &of(&[2.5, -1.0])], None);
        assert_eq!(mean.predicted(), &Target::values(vec![2.0, -1.5]));
        for answer in [of(&[0.1, 3.0]), Task::MultiLabel.answer(&[0.1, -3.0]), Task::SingleLabel.answer(&[0.1, -3.0])] {
            assert_eq!(Answer::mean(&[&answer], None), answer);
        }
    }

    #[test]
    fn labels_in_another_order_are_the_same_answer() {
        let order = [2, 0, 1];
        for task in [Task::SingleLabel, Task::MultiLabel, Task::Regression] {
            let (found, want) = (task.answer(&[0.5, -1.0, 2.0]).reordered(&order), task.answer(&[2.0, 0.5, -1.0]));
            assert_eq!(found.predicted(), want.predicted());
            near(found.probabilities(), &want.probabilities().iter().map(|p| f64::from(*p)).collect::<Vec<_>>());
            let target = match task {
                Task::SingleLabel => Target::Label(1),
                Task::MultiLabel => Target::labels(vec![1]),
                Task::Regression => Target::values(vec![1.0, 0.0, 0.0]),
            };
            let losses = (found.scored(&target).loss(), want.scored(&target).loss());
            assert!((losses.0 - losses.1).abs() < 1e-12, "{losses:?}");
        }
    }
}
