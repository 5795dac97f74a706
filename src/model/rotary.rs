//! Rotary positions, and layers that attend to the whole text or within a window.

use serde_json::{Map, Value};

use super::{
    config_keys::Keys,
    family::{Family, Positions},
};

/// Rotary positions of a model whose layers attend to the whole text or within a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Whether each layer attends within the window.
    pub is_local: Vec<bool>,
    /// The greatest distance between a query and its keys in such layers.
    pub window: usize,
    /// The bases of the angles' frequencies: of layers that attend to the whole text, and of those within the window.
    pub thetas: [f64; 2],
}

/// What a layer's attention depends on beside its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerAttention {
    /// The greatest distance between a query and its keys; `None`: there is no limit.
    pub window: Option<usize>,
    /// The table of angles of its rotary positions: an index of [`Rotary::thetas`]; `None`: there are no such positions.
    pub angles: Option<usize>,
}

/// The kinds of layers, in the order of [`Rotary::thetas`], with the older key of each kind's base.
const KINDS: [(&str, &str, f64); 2] =
    [("full_attention", "global_rope_theta", 160_000.0), ("sliding_attention", "local_rope_theta", 10_000.0)];

impl Rotary {
    /// The attention of layer `i`.
    pub fn layer(&self, i: usize) -> LayerAttention {
        let is_local = self.is_local[i];
        LayerAttention { window: is_local.then_some(self.window), angles: Some(is_local.into()) }
    }

    /// Cosines, then sines of the angles of positions below `positions`, `[positions, head_width]`: in float32, rounded where
    /// transformers rounds.
    pub fn angles(&self, table: usize, positions: usize, head_width: usize) -> Vec<f32> {
        let frequency = |i: usize| 1.0 / self.thetas[table].powf(f64::from(2.0 * i as f32 / head_width as f32)) as f32;
        let frequencies: Vec<f32> = (0..head_width / 2).map(frequency).collect();
        let mut angles = Vec::with_capacity(positions * head_width);
        for position in 0..positions {
            // The cosine of the rounded angle, correctly rounded.
            let of = |f: fn(f64) -> f64| {
                frequencies.iter().map(move |frequency| f(f64::from(position as f32 * frequency)) as f32)
            };
            angles.extend(of(f64::cos));
            angles.extend(of(f64::sin));
        }
        angles
    }

    /// From a config.json; `None` for families without rotary positions. Reads the keys of transformers 5 (`layer_types`,
    /// `rope_parameters`) and those before it.
    pub(super) fn read(keys: &Keys, family: &Family, layers: usize, head_width: usize) -> Result<Option<Self>, String> {
        if family.positions != Positions::Rotary {
            return Ok(None);
        }
        if !head_width.is_multiple_of(2) {
            return Err(format!(
                "`{}` / `{}` is {head_width}; rotary positions need an even number",
                family.keys.hidden_size, family.keys.heads
            ));
        }
        if keys.get("rope_scaling").is_some() {
            return Err("`rope_scaling` is set; taper does not support scaled rotary positions (RoPE scaling)".into());
        }
        Ok(Some(Self {
            is_local: is_local(keys, layers)?,
            // transformers also takes the half of it under this name.
            window: match keys.get("sliding_window") {
                Some(_) => keys.whole("sliding_window", None, 0, 1 << 24)?,
                None => keys.whole("local_attention", Some(128), 0, 1 << 24)? / 2,
            },
            thetas: [theta(keys, 0)?, theta(keys, 1)?],
        }))
    }
}

fn is_local(keys: &Keys, layers: usize) -> Result<Vec<bool>, String> {
    let Some(kinds) = keys.get("layer_types") else {
        let every = keys.whole("global_attn_every_n_layers", Some(3), 1, 1 << 20)?;
        return Ok((0..layers).map(|i| !i.is_multiple_of(every)).collect());
    };
    let of = |kind: &Value| KINDS.iter().position(|(name, ..)| kind.as_str() == Some(name)).map(|kind| kind == 1);
    let read: Option<Vec<bool>> = kinds.as_array().and_then(|kinds| kinds.iter().map(of).collect());
    match read.filter(|read| read.len() == layers) {
        Some(read) => Ok(read),
        None => keys.wrong(
            "layer_types",
            format!("a list of {layers}, one for each layer, of \"full_attention\" and \"sliding_attention\""),
        ),
    }
}

/// The base of the frequencies of a kind of layers.
fn theta(keys: &Keys, kind: usize) -> Result<f64, String> {
    let (name, older, default) = KINDS[kind];
    let is_sound = |theta: f64| (1.0..=1e12).contains(&theta);
    let expected = "a number from 1 to 1e12, such as 10000";
    let older = || keys.number(older, default, is_sound, expected);
    let Some(parameters) = keys.get("rope_parameters") else { return older() };
    let of_kinds = |parameters: &Map<String, Value>| KINDS.iter().any(|(name, ..)| parameters.contains_key(*name));
    let Some(parameters) = parameters.as_object().filter(|parameters| of_kinds(parameters)) else {
        return keys.wrong("rope_parameters", "an object with \"full_attention\" and \"sliding_attention\"");
    };
    let Some(Value::Object(own)) = parameters.get(name).filter(|own| !own.is_null()) else { return older() };
    let own = Keys(own);
    let within = |error: String| format!("`rope_parameters`, \"{name}\": {error}");
    // `type` is the older name.
    for key in ["rope_type", "type"] {
        if own.text(key).map_err(within)?.is_some_and(|kind| kind != "default") {
            return own.wrong(key, "\"default\"").map_err(within);
        }
    }
    match own.get("rope_theta") {
        Some(_) => own.number("rope_theta", default, is_sound, expected).map_err(within),
        None => older(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{ModelConfig, Pooling},
        *,
    };

    fn with(more: Value) -> Result<ModelConfig, String> {
        let mut config = json!({
            "model_type": "modernbert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 5, "num_attention_heads": 2,
            "intermediate_size": 6,
        });
        more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
        ModelConfig::parse(&config.to_string())
    }

    fn rotary(more: Value) -> Rotary {
        with(more).expect("a config").rotary.expect("rotary positions")
    }

    /// As transformers 5.23 reads the files of the hub and its own.
    #[test]
    fn keys_of_both_versions_are_read() {
        let by_default =
            Rotary { is_local: vec![false, true, true, false, true], window: 64, thetas: [160_000.0, 10_000.0] };
        assert_eq!(rotary(json!({})), by_default);
        let old = json!({
            "global_attn_every_n_layers": 2, "global_rope_theta": 5e4, "local_rope_theta": 1e5, "local_attention": 9,
            "position_embedding_type": "sans_pos",
        });
        let is_local = vec![false, true, false, true, false];
        assert_eq!(rotary(old), Rotary { is_local, window: 4, thetas: [5e4, 1e5] });
        let new = json!({
            "layer_types": ["sliding_attention", "full_attention", "full_attention", "full_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 7.5},
                "sliding_attention": {"rope_type": "default"},
            },
        });
        let is_local = vec![true, false, false, false, false];
        assert_eq!(rotary(new), Rotary { is_local, thetas: [7.5, 10_000.0], ..by_default });
        assert_eq!(rotary(json!({"local_attention": 128, "sliding_window": 10})).window, 10);
        let config = with(json!({"classifier_pooling": "mean", "classifier_activation": "relu"})).expect("a config");
        assert_eq!((config.pooling, config.longest()), (Pooling::Mean, 8192));
    }

    #[test]
    fn what_would_change_positions_and_is_not_known_is_refused_by_name() {
        for (more, words) in [
            (json!({"layer_types": ["full_attention"]}), "`layer_types` is [\"full_attention\"]; expected a list of 5"),
            (json!({"layer_types": ["full_attention", "other", "x", "x", "x"]}), "`layer_types` is"),
            (json!({"global_attn_every_n_layers": 0}), "`global_attn_every_n_layers` is 0"),
            (
                json!({"rope_scaling": {"factor": 2.0}}),
                "`rope_scaling` is set; taper does not support scaled rotary positions",
            ),
            (json!({"rope_parameters": {"rope_theta": 1e4}}), "`rope_parameters` is {\"rope_theta\":10000.0}"),
            (
                json!({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}),
                "`rope_parameters`, \"full_attention\": `rope_type` is \"yarn\"; expected \"default\"",
            ),
            (
                json!({"rope_parameters": {"sliding_attention": {"type": "linear", "factor": 2.0}}}),
                "`rope_parameters`, \"sliding_attention\": `type` is \"linear\"; expected \"default\"",
            ),
            (json!({"local_rope_theta": "x"}), "`local_rope_theta` is \"x\""),
            (json!({"num_attention_heads": 8}), "is 1; rotary positions need an even number"),
            (json!({"classifier_pooling": "max"}), "`classifier_pooling` is \"max\"; expected \"cls\" or \"mean\""),
        ] {
            let error = with(more).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }

    /// transformers' `ModernBertRotaryEmbedding` in PyTorch 2.15, head width 8, positions 0, 100 and 8191.
    #[test]
    fn angles_are_those_of_transformers() {
        let rotary = rotary(json!({}));
        let angles = rotary.angles(0, 8192, 8);
        for (position, want) in [
            (0, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
            (
                100,
                [
                    0.862_318_87,
                    0.283_662_2,
                    0.968_912_42,
                    0.999_921_86,
                    -0.506_365_66,
                    -0.958_924_29,
                    0.247_403_96,
                    0.012_499_674,
                ],
            ),
            (
                8191,
                [
                    -0.646_390_5,
                    0.414_890_97,
                    -0.057_115_659,
                    0.520_060_12,
                    -0.763_006_81,
                    0.909_871_1,
                    0.998_367_55,
                    0.854_129_67,
                ],
            ),
        ] {
            for (got, want) in angles[8 * position..][..8].iter().zip(want) {
                assert!((f64::from(*got) - want).abs() < 1e-7, "position {position}: {got}, wanted {want}");
            }
        }
    }
}
