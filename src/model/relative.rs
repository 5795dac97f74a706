//! Relative positions of disentangled attention (DeBERTa: He et al. 2021).

use serde_json::Value;

use super::{
    config_keys::Keys,
    family::{Family, Positions},
};

/// Relative positions of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative {
    /// Rows of the table for each direction: `position_buckets`, or as many as distances are told apart.
    span: usize,
    /// The distance of the last bucket, plus one, where far distances share buckets.
    farthest: Option<usize>,
    /// Whether scores have the product of a query and a position's key.
    pub c2p: bool,
    /// Whether they have that of a key and a position's query.
    pub p2c: bool,
    /// Whether the dense layers of queries and keys are also those of the positions.
    pub is_shared: bool,
    /// Whether the table has a norm.
    pub has_norm: bool,
}

impl Relative {
    /// From the keys of a config.json, of a model with `positions` positions; `None` if the model has none.
    ///
    /// # Errors
    /// Names the invalid key.
    pub(super) fn read(keys: &Keys, family: &Family, positions: usize) -> Result<Option<Self>, String> {
        if family.positions != Positions::Relative {
            return Ok(None);
        }
        let types = types(keys)?;
        if !keys.truth("relative_attention")? {
            return match types {
                [false, false] => Ok(None),
                _ => {
                    Err("`relative_attention` is false, but `pos_att_type` names relative positions; taper fine-tunes \
                     models with both or neither"
                        .into())
                }
            };
        }
        if types == [false, false] {
            return keys.wrong("pos_att_type", "\"c2p\", \"p2c\" or both where `relative_attention` is true");
        }
        let size = |key: &str| match keys.get(key).and_then(Value::as_f64) {
            // As in transformers: none, where it is below 1.
            Some(size) if size < 1.0 => Ok(None),
            _ => keys.whole(key, Some(0), 0, 1 << 16).map(|size| (size > 0).then_some(size)),
        };
        let farthest = size("max_relative_positions")?.unwrap_or(positions);
        let buckets = size("position_buckets")?;
        if let Some(buckets) = buckets.filter(|buckets| *buckets < 4 || farthest <= buckets / 2 + 1) {
            return Err(format!(
                "`position_buckets` is {buckets}; expected at least 4, and less than twice the {farthest} positions of \
                 `max_relative_positions` or `max_position_embeddings`"
            ));
        }
        let is_shared = keys.truth("share_att_key")?;
        if !is_shared && types != [true, true] {
            return keys.wrong("share_att_key", "true, or both \"c2p\" and \"p2c\" in `pos_att_type`");
        }
        let norms = keys.text("norm_rel_ebd")?.unwrap_or("none").to_lowercase();
        let [c2p, p2c] = types;
        Ok(Some(Self {
            span: buckets.unwrap_or(farthest),
            farthest: buckets.map(|_| farthest),
            c2p,
            p2c,
            is_shared,
            has_norm: norms.split('|').any(|norm| norm.trim() == "layer_norm"),
        }))
    }

    /// Rows of the table.
    pub fn size(&self) -> usize {
        2 * self.span
    }

    /// The terms of a score: the product of query and key, and those with positions.
    pub fn terms(&self) -> usize {
        1 + usize::from(self.c2p) + usize::from(self.p2c)
    }

    /// The row of the table for query − key.
    pub fn row(&self, distance: isize) -> usize {
        let span = self.span as isize;
        (self.bucket(distance) + span).clamp(0, 2 * span - 1) as usize
    }

    /// Near distances are their own bucket; beyond, the logarithm is divided evenly. In float32, as transformers computes it.
    fn bucket(&self, distance: isize) -> isize {
        let (middle, far) = ((self.span / 2) as isize, distance.unsigned_abs() as f32);
        let Some(farthest) = self.farthest.filter(|_| distance.abs() > middle) else { return distance };
        let ln = |x: f32| f64::from(x).ln() as f32;
        let middle_f32 = middle as f32;
        let last = ((farthest - 1) as f64 / middle as f64) as f32;
        let log = (ln(far / middle_f32) / ln(last) * (middle - 1) as f32).ceil() + middle_f32;
        log as isize * distance.signum()
    }

    /// The rows for all distances of texts of up to `longest` tokens, from the most negative one on, `[2 · longest − 1]`.
    pub fn rows(&self, longest: usize) -> Vec<f32> {
        let reach = longest as isize - 1;
        (-reach..=reach).map(|distance| self.row(distance) as f32).collect()
    }
}

/// `pos_att_type`: whether it has c2p and p2c, as a list or as a text with `|` between them.
fn types(keys: &Keys) -> Result<[bool; 2], String> {
    let expected = "a list of \"c2p\" and \"p2c\"";
    let names: Vec<String> = match keys.get("pos_att_type") {
        None => Vec::new(),
        Some(Value::String(text)) => text.to_lowercase().split('|').map(|name| name.trim().to_string()).collect(),
        Some(Value::Array(names)) => match names.iter().map(|name| name.as_str().map(str::to_string)).collect() {
            Some(names) => names,
            None => return keys.wrong("pos_att_type", expected),
        },
        Some(_) => return keys.wrong("pos_att_type", expected),
    };
    // "none" is what a file of no types may say.
    if names.iter().any(|name| !["c2p", "p2c", "none", ""].contains(&name.as_str())) {
        return keys.wrong("pos_att_type", expected);
    }
    Ok(["c2p", "p2c"].map(|kind| names.iter().any(|name| name == kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ModelConfig, ModelSpec};

    fn with(more: Value) -> Result<ModelConfig, String> {
        let mut config = json!({
            "model_type": "deberta-v2", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 6, "relative_attention": true, "pos_att_type": "p2c|c2p", "share_att_key": true,
        });
        more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
        ModelConfig::parse(&config.to_string())
    }

    /// transformers' `build_relative_position`: the sum of (distance + 1) · bucket over all distances, and the bucket of the last one.
    #[test]
    fn buckets_are_those_of_transformers() {
        for (buckets, positions, distances, sum, last) in [
            (256, 512, 512, 27_544_510, 255),
            (256, 1024, 1024, 117_933_721, 255),
            (16, 600, 600, 2_629_873, 15),
            (6, 512, 512, 655_800, 5),
            (32, 128, 128, 229_401, 31),
            (8, 13, 13, 536, 7),
            (20, 40, 40, 13_177, 19),
            (512, 1024, 1024, 220_309_019, 511),
            (4, 512, 512, 393_974, 3),
            (64, 8192, 2048, 111_104_969, 56),
        ] {
            let config = with(json!({"position_buckets": buckets, "max_position_embeddings": positions}));
            let relative = config.expect("a config").relative.expect("relative positions");
            let of = |distance: isize| relative.row(distance) as i64 - buckets;
            let found: i64 = (0..distances).map(|distance| (distance as i64 + 1) * of(distance)).sum();
            assert_eq!((found, of(distances - 1)), (sum, last), "{buckets} buckets of {positions} positions");
            assert!((1..distances).all(|distance| of(-distance) == -of(distance)), "{buckets} buckets");
        }
        // Without buckets a distance is its own; beyond the table the last row counts.
        let config = with(json!({"max_relative_positions": 3, "max_position_embeddings": 20})).expect("a config");
        let rows = config.relative.expect("relative positions").rows(6);
        assert_eq!(rows, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0]);
    }

    #[test]
    fn keys_have_transformers_defaults() {
        let config = with(json!({})).expect("a config");
        let relative = config.relative.clone().expect("relative positions");
        assert_eq!((relative.size(), relative.has_norm, config.has_position_table), (1024, false, true));
        assert_eq!((config.type_vocab_size, config.layer_norm_eps, relative.terms()), (0, 1e-7, 3));
        assert_eq!((config.dropout.head, config.dropout.head_input), (0.1, 0.0));
        let plain = with(json!({"relative_attention": null, "pos_att_type": "none"})).expect("a config");
        assert_eq!((&plain.relative, plain.attention_of(0).window), (&None, None));
        let v3 = json!({
            "position_buckets": 256, "max_relative_positions": -1, "norm_rel_ebd": "layer_norm", "position_biased_input": false,
            "cls_dropout": 0.3, "type_vocab_size": 0,
        });
        let config = with(v3).expect("a config");
        let relative = config.relative.clone().expect("relative positions");
        assert_eq!((relative.size(), relative.has_norm, config.has_position_table), (512, true, false));
        assert_eq!(config.dropout.head, 0.3);
        assert_eq!(config.attention_scale(), 1.0 / 12f32.sqrt());
    }

    /// transformers 5.23 counts 184,423,682 parameters of deberta-v3-base with two labels.
    #[test]
    fn parameters_of_deberta_are_those_of_transformers() {
        let config = with(json!({
            "vocab_size": 128_100, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
            "intermediate_size": 3072, "position_buckets": 256, "norm_rel_ebd": "layer_norm", "position_biased_input": false,
        }));
        assert_eq!(ModelSpec::count(&config.expect("a config"), 2), 184_423_682);
    }

    #[test]
    fn what_taper_does_not_compute_is_refused_by_name() {
        for (more, words) in [
            (json!({"conv_kernel_size": 3}), "`conv_kernel_size` is 3; expected 0"),
            (json!({"embedding_size": 6}), "`embedding_size` is 6; expected 8 (`hidden_size`)"),
            (json!({"attention_head_size": 8}), "`attention_head_size` is 8; expected 4"),
            (json!({"pos_att_type": "c2p|p2p"}), "`pos_att_type` is \"c2p|p2p\"; expected a list"),
            (json!({"pos_att_type": 3}), "`pos_att_type` is 3"),
            (json!({"pos_att_type": []}), "`pos_att_type` is []; expected \"c2p\", \"p2c\" or both"),
            (json!({"relative_attention": false}), "`relative_attention` is false, but"),
            (
                json!({"share_att_key": false, "pos_att_type": "c2p"}),
                "`share_att_key` is false; expected true, or both",
            ),
            (json!({"position_buckets": 2}), "`position_buckets` is 2; expected at least 4"),
            (json!({"position_buckets": 1024}), "`position_buckets` is 1024"),
            (json!({"position_buckets": "x"}), "`position_buckets` is \"x\""),
            (json!({"pooler_hidden_act": "elu"}), "`pooler_hidden_act` is \"elu\""),
        ] {
            let error = with(more).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
