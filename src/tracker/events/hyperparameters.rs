//! Settings and results for TensorBoard's HPARAMS tab.

use prost::Message;
use serde_json::Value as Json;

use super::proto::{
    Data, Dim, Experiment, FLOAT, HParamInfo, HParamsPluginData, JsonValue, Kind, ListValue, MetricInfo, MetricName,
    PluginData, SessionEndInfo, SessionStartInfo, Shape, Summary, SummaryMetadata, TENSOR, Tensor, Value,
};
use crate::store::RunState;

/// A run as the tab sees it.
#[derive(Debug, Clone, Copy)]
pub enum Session<'a> {
    /// It began.
    Start {
        /// Its row: a name that no other run has.
        name: &'a str,
        /// Its settings.
        settings: &'a [(String, Json)],
        /// Unix time in seconds.
        began: f64,
    },
    /// It ended, or is as it is.
    End {
        /// How.
        state: RunState,
        /// Unix time in seconds.
        ended: f64,
    },
}

impl Session<'_> {
    pub(super) fn summary(&self) -> Summary {
        match *self {
            Self::Start { name, settings, began } => {
                let hparams = settings.iter().filter_map(|(name, value)| Some((name.clone(), json(value)?))).collect();
                let info = SessionStartInfo { hparams, group_name: name.into(), start_time_secs: began };
                summary("session_start_info", Data::SessionStartInfo(info))
            }
            Self::End { state, ended } => {
                // `Status` of api.proto: unknown, success, failure, running.
                let status = match state {
                    RunState::Completed => 1,
                    RunState::Failed => 2,
                    RunState::Running => 3,
                    RunState::Pending | RunState::Waiting | RunState::Interrupted | RunState::Pruned => 0,
                };
                let info = SessionEndInfo { status, end_time_secs: ended };
                summary("session_end_info", Data::SessionEndInfo(info))
            }
        }
    }
}

/// The values that a setting has.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// These, which the tab offers as a filter.
    Values(Vec<Json>),
    /// Numbers that are too many to list.
    Numbers,
}

/// A setting of the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name in the spec.
    pub name: String,
    /// Its values.
    pub domain: Domain,
    /// Whether runs differ in it.
    pub differs: bool,
}

/// What the tab shows of several runs.
#[derive(Debug, Clone)]
pub struct Hyperparameters<'a> {
    /// The name of the experiment.
    pub experiment: &'a str,
    /// Its description.
    pub description: &'a str,
    /// Columns: the settings.
    pub settings: &'a [Setting],
    /// Columns: names of curves, with what they are called.
    pub metrics: &'a [(String, String)],
    /// Unix time in seconds of its first run.
    pub created: f64,
}

impl Hyperparameters<'_> {
    pub(super) fn summary(&self) -> Summary {
        let info = |setting: &Setting| HParamInfo {
            name: setting.name.clone(),
            kind: kind(&setting.domain),
            domain_discrete: match &setting.domain {
                Domain::Values(values) => Some(ListValue { values: values.iter().filter_map(json).collect() }),
                Domain::Numbers => None,
            },
            differs: setting.differs,
        };
        let metric = |(tag, name): &(String, String)| MetricInfo {
            name: Some(MetricName { tag: tag.clone() }),
            display_name: name.clone(),
        };
        let experiment = Experiment {
            description: self.description.into(),
            time_created_secs: self.created,
            hparam_infos: self.settings.iter().map(info).collect(),
            metric_infos: self.metrics.iter().map(metric).collect(),
            name: self.experiment.into(),
        };
        summary("experiment", Data::Experiment(experiment))
    }
}

/// `DataType` of api.proto: text, truth values or numbers; unset if they are mixed.
fn kind(domain: &Domain) -> i32 {
    let Domain::Values(values) = domain else { return 3 };
    let of = |value: &Json| match value {
        Json::String(_) => 1,
        Json::Bool(_) => 2,
        _ => 3,
    };
    let mut kinds = values.iter().map(of);
    let first = kinds.next().unwrap_or(0);
    if kinds.all(|other| other == first) { first } else { 0 }
}

fn json(value: &Json) -> Option<JsonValue> {
    let kind = match value {
        Json::Null => return None,
        Json::Bool(truth) => Kind::Truth(*truth),
        Json::Number(number) => Kind::Number(number.as_f64()?),
        Json::String(text) => Kind::Text(text.clone()),
        other => Kind::Text(other.to_string()),
    };
    Some(JsonValue { kind: Some(kind) })
}

/// A value of the plugin: its data is in the metadata, beside an empty tensor.
fn summary(name: &str, data: Data) -> Summary {
    let content = HParamsPluginData { version: 0, data: Some(data) }.encode_to_vec();
    let plugin_data = Some(PluginData { plugin_name: "hparams".into(), content });
    let shape = Shape { dim: vec![Dim { size: 0 }] };
    let value = Value {
        tag: format!("_hparams_/{name}"),
        simple_value: None,
        tensor: Some(Tensor { dtype: FLOAT, tensor_shape: Some(shape) }),
        metadata: Some(SummaryMetadata { plugin_data, data_class: TENSOR }),
    };
    Summary { value: vec![value] }
}
