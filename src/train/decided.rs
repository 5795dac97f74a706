//! What is chosen on the dev rows after training: a temperature, and thresholds.

use rayon::prelude::*;

use crate::{
    event::Decided,
    metrics::{Metrics, Tally},
    plan::Choices,
    task::{Answer, Decision, Target, tune},
};

/// Rows that are decided in parallel before they are counted.
const TOGETHER: usize = 256;

/// The decision that `choices` asks for, chosen by the answers for the dev rows alone, and the metrics that follow from it for these and for
/// the test rows. The temperature comes first; thresholds are of the probabilities that it gives. `labels` are the names of the labels by id.
pub(super) fn decided(
    choices: Choices,
    dev: &[(Answer, Target)],
    test: Option<&[(Answer, Target)]>,
    labels: &[String],
) -> Decided {
    let temperature = if choices.calibrate { tune::temperature(dev) } else { 1.0 };
    let calibrated = Decision { temperature, thresholds: None };
    let thresholds = choices.thresholds_by.map(|metric| {
        // Of many labels and rows these take most of the memory: a copy only where they differ from those of the model.
        let scaled: Vec<Vec<f32>> = match temperature == 1.0 {
            true => Vec::new(),
            false => {
                dev.par_iter().map(|(answer, _)| answer.clone().decided(&calibrated).into_probabilities()).collect()
            }
        };
        let rows: Vec<(&[f32], &Target)> = dev
            .iter()
            .enumerate()
            .map(|(i, (answer, target))| (scaled.get(i).map_or(answer.probabilities(), Vec::as_slice), target))
            .collect();
        tune::thresholds(&rows, labels, metric)
    });
    let decision = Decision { thresholds, ..calibrated };
    let measured = |rows: &[(Answer, Target)]| -> Metrics {
        let mut tally = Tally::new(labels.len());
        for rows in rows.chunks(TOGETHER) {
            let scored = |(answer, target): &(Answer, Target)| answer.clone().decided(&decision).scored(target);
            // Added in the order of the rows, so that threads change no bit.
            rows.par_iter().map(scored).collect::<Vec<_>>().into_iter().for_each(|row| tally.add(row));
        }
        tally.metrics(labels)
    };
    let (of_dev, of_test) = (measured(dev), test.map(measured));
    Decided { decision, metric: choices.thresholds_by, dev: of_dev, test: of_test }
}
