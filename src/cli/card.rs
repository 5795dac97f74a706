//! The card of an exported model.

use anyhow::Result;
use taper::{
    assets::{Settings, Use, card_at_hand},
    export::{Exporter, Library, Numbers},
    plan::Source,
    report::{CardInput, Origin, RunInput, Stored, Weights, card, leaderboard},
    store::{RunRecord, Store},
};

use super::lang::Lang;

/// What the card says of the files beside it.
pub fn stored(format: &dyn Exporter, numbers: Numbers) -> Stored {
    match format.library() {
        Library::Transformers => Stored::Transformers,
        Library::OnnxRuntime => Stored::Onnx(match numbers {
            Numbers::Fp32 => Weights::Fp32,
            Numbers::Fp16 => Weights::Fp16,
            Numbers::Int8 => Weights::Int8,
        }),
    }
}

/// The card of a run, in a language. What the cards of its model and of its data say is read from copies on this machine.
pub fn of(store: &Store, run: &RunRecord, stored: Stored, lang: Option<Lang>) -> Result<String> {
    let plan = match run.experiment.as_ref().filter(|_| run.in_plan) {
        Some(name) => Some((store.experiment(name)?, leaderboard(store, name)?)),
        None => None,
    };
    let environment = run.environment.as_ref();
    let settings = Settings::from_env(true)?;
    let origin = |used_as, used: Option<&String>, source: &Source| {
        // The commit that was read, where there is one.
        let pinned = used.and_then(|text| text.parse::<Source>().ok());
        let text = card_at_hand(&settings, used_as, pinned.as_ref().unwrap_or(source));
        text.map(|text| Origin::read(&text)).unwrap_or_default()
    };
    let base = origin(Use::Model, environment.map(|used| &used.model_source), &run.config.model.source);
    let data = origin(Use::Data, environment.map(|used| &used.data_source), &run.config.data.source);
    let input = RunInput::read(store, run.clone())?;
    let plan = plan.as_ref().map(|(experiment, board)| (experiment, board));
    Ok(card(&CardInput { run: &input, plan, base, data, stored }, Lang::language(lang)))
}
