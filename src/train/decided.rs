//! What is chosen on the dev rows after training: a temperature, and thresholds.

use crate::{
    event::Decided,
    metrics::{Metrics, Tally},
    plan::Choices,
    task::{Answer, Decision, Target, tune},
};

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
        let decided: Vec<_> =
            dev.iter().map(|(answer, target)| (answer.clone().decided(&calibrated), target.clone())).collect();
        tune::thresholds(&decided, labels, metric)
    });
    let decision = Decision { thresholds, ..calibrated };
    let measured = |rows: &[(Answer, Target)]| -> Metrics {
        let mut tally = Tally::new(labels.len());
        rows.iter().for_each(|(answer, target)| tally.add(answer.clone().decided(&decision).scored(target)));
        tally.metrics(labels)
    };
    let (of_dev, of_test) = (measured(dev), test.map(measured));
    Decided { decision, metric: choices.thresholds_by, dev: of_dev, test: of_test }
}
