//! The model's confidence in each probe sentence before and after training.

use plotters::prelude::DrawingBackend;

use super::{
    Area, Chart, Drawn, Legible,
    pen::{self, At},
    theme, width,
};
use crate::report::format;

/// Two bars for each label that is shown of a probe.
pub struct ProbesChart {
    /// The probes, in the spec's order.
    pub probes: Vec<ProbeBars>,
}

/// One probe.
pub struct ProbeBars {
    /// Its number, from 1.
    pub number: usize,
    /// The sentence.
    pub text: String,
    /// The labels that are shown of it.
    pub labels: Vec<LabelBars>,
}

/// One label of a probe.
pub struct LabelBars {
    /// Name of the label whose probability the bars show.
    pub label: String,
    /// The label's id, which identifies it if its name cannot be drawn.
    pub label_id: usize,
    /// Why it is shown.
    pub why: Why,
    /// Before, during or after training, in this order.
    pub bars: Vec<Bar>,
}

/// Why a label is shown of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is expected.
    Expected,
    /// It is predicted, although others are expected, or none.
    NotExpected,
    /// The spec does not say what is expected: it is the predicted one.
    Predicted,
    /// It is neither expected nor predicted, but the most probable one.
    MostProbable,
}

impl Why {
    /// In words, before the name of the label.
    fn words(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::NotExpected => "not expected:",
            Self::Predicted => "no label expected; shown:",
            Self::MostProbable => "no label predicted; most probable:",
        }
    }
}

/// One bar.
pub struct Bar {
    /// `before` or `after`.
    pub when: &'static str,
    /// Probability of the label.
    pub probability: f64,
    /// What is predicted.
    pub predicted: Said,
    /// Whether that was right, if a label is expected.
    pub right: Option<bool>,
}

/// What is predicted of a probe.
pub enum Said {
    /// One label: its name and id.
    Label(String, usize),
    /// Of several labels, whether this one is among them.
    Has(bool),
}

const TOP: f64 = 96.0;
const LINE: f64 = 38.0;
const BAR: f64 = 48.0;
const GAP: f64 = 34.0;
const FOOT: f64 = 56.0;
const LEFT: f64 = 150.0;
/// Space at the right of the bars.
const RIGHT: f64 = 470.0;

impl ProbesChart {
    fn sentence(probe: &ProbeBars, width: f64) -> Vec<String> {
        let lines = if width < f64::from(super::WIDTH) { 4 } else { 2 };
        format::wrap(&format!("{}. {}", probe.number, probe.text), width / 30.0, lines)
    }

    fn rows(probe: &ProbeBars, width: f64) -> f64 {
        let bars: f64 = probe.labels.iter().map(|label| LINE + BAR * label.bars.len() as f64).sum();
        LINE * Self::sentence(probe, width).len() as f64 + bars + GAP
    }
}

impl Chart for ProbesChart {
    fn height(&self, width: u32) -> u32 {
        (TOP + self.probes.iter().map(|probe| Self::rows(probe, f64::from(width))).sum::<f64>() + FOOT) as u32
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        for probe in &self.probes {
            texts.push(probe.text.as_str());
            for of in &probe.labels {
                texts.push(of.label.as_str());
                texts.extend(of.bars.iter().filter_map(|bar| match &bar.predicted {
                    Said::Label(name, _) => Some(name.as_str()),
                    Said::Has(_) => None,
                }));
            }
        }
        texts
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        let after = self
            .probes
            .iter()
            .flat_map(|probe| &probe.labels)
            .flat_map(|label| &label.bars)
            .any(|bar| bar.when == "after");
        pen::title(
            area,
            if after { "Probe sentences before and after training" } else { "Probe sentences before training" },
        )?;
        let right = width(area) - RIGHT;
        let x = |share: f64| LEFT + share.clamp(0.0, 1.0) * (right - LEFT);
        let name = |name: &str, id: usize| format::ellipsize(&legible.or(name, || format!("label {id}")), 12.0);
        let mut y = TOP;
        for probe in &self.probes {
            // A sentence whose characters cannot be drawn is identified by its number.
            let lines = match legible.can(&probe.text) {
                true => Self::sentence(probe, width(area)),
                false => vec![format!("probe {}", probe.number)],
            };
            for line in lines {
                pen::text(area, (24.0, y + LINE / 2.0), &line, pen::LABEL, theme::INK, At::Left)?;
                y += LINE;
            }
            for of in &probe.labels {
                let note = format!("{} “{}”: its probability", of.why.words(), name(&of.label, of.label_id));
                pen::text(area, (LEFT, y + LINE / 2.0), &note, pen::SMALL, theme::MUTED, At::Left)?;
                y += LINE;
                for bar in &of.bars {
                    let middle = y + BAR / 2.0;
                    pen::text(area, (LEFT - 18.0, middle), bar.when, pen::SMALL, theme::MUTED, At::Right)?;
                    pen::fill(area, (x(0.0), y + 6.0), (x(1.0), y + BAR - 6.0), theme::GRID, 0.7)?;
                    let colour = match bar.right {
                        Some(true) => theme::GOOD,
                        Some(false) => theme::BAD,
                        None => theme::PALETTE[0],
                    };
                    let opacity = if bar.when == "before" { 0.55 } else { 1.0 };
                    pen::fill(area, (x(0.0), y + 6.0), (x(bar.probability), y + BAR - 6.0), colour, opacity)?;
                    let verdict = match (&bar.predicted, bar.right) {
                        (Said::Has(true), _) => "predicted".to_string(),
                        (Said::Has(false), _) => "not predicted".to_string(),
                        (Said::Label(..), Some(true)) => "right".to_string(),
                        (Said::Label(label, id), Some(false)) => format!("wrong: “{}”", name(label, *id)),
                        (Said::Label(label, id), None) => format!("“{}”", name(label, *id)),
                    };
                    let value = format!("{} · {verdict}", format::percent(bar.probability));
                    pen::text(area, (right + 20.0, middle), &value, pen::LABEL, theme::INK, At::Left)?;
                    y += BAR;
                }
            }
            y += GAP;
        }
        for tick in 0..=4 {
            let label = format!("{}%", tick * 25);
            let at = (x(f64::from(tick) / 4.0), y + 4.0);
            pen::text(area, at, &label, pen::SMALL, theme::MUTED, At::Middle)?;
        }
        Ok(())
    }
}
