//! Serialises the metrics of an evaluation as one flat map: `rows`, each metric under its id, `per_class`, `confusion`, and of
//! sets of labels `co_occurrence`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::StrDeserializer},
    ser::SerializeMap,
};

use super::{Metric, Metrics};

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = usize::from(self.co_occurrence.is_some());
        let mut map = serializer.serialize_map(Some(3 + more + self.values.len()))?;
        map.serialize_entry("rows", &self.rows)?;
        for (metric, value) in self.values() {
            map.serialize_entry(metric.info().id, &value)?;
        }
        map.serialize_entry("per_class", &self.per_class)?;
        map.serialize_entry("confusion", &self.confusion)?;
        if let Some(rows) = &self.co_occurrence {
            map.serialize_entry("co_occurrence", rows)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Flat)
    }
}

struct Flat;

impl<'de> Visitor<'de> for Flat {
    type Value = Metrics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the metrics of an evaluation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
        let (mut rows, mut per_class, mut confusion, mut values) = (None, None, None, Vec::new());
        let mut co_occurrence = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "rows" => rows = Some(map.next_value()?),
                "per_class" => per_class = Some(map.next_value()?),
                "confusion" => confusion = Some(map.next_value()?),
                "co_occurrence" => co_occurrence = Some(map.next_value()?),
                id => {
                    let metric = Metric::deserialize(StrDeserializer::<A::Error>::new(id))?;
                    // JSON has no NaN.
                    values.push((metric, map.next_value::<Option<f64>>()?.unwrap_or(f64::NAN)));
                }
            }
        }
        let missing = de::Error::missing_field;
        let mut metrics = Metrics::stored(
            rows.ok_or_else(|| missing("rows"))?,
            per_class.ok_or_else(|| missing("per_class"))?,
            confusion.ok_or_else(|| missing("confusion"))?,
        );
        metrics.set_all(values);
        metrics.co_occurrence = co_occurrence;
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::metrics::Scored;

    #[test]
    fn what_is_written_is_read_back() {
        let rows = [(0, 0), (1, 0), (1, 1)];
        let scored = rows.map(|(label, predicted)| Scored::of_label(label, (predicted, 0.75), &[], 0.5));
        let metrics = Metrics::new(&["neg".into(), "pos".into()], scored);
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json["rows"], 3);
        assert_eq!(json["loss"], 0.5);
        assert_eq!(json["per_class"][1]["support"], 2);
        assert_eq!(serde_json::from_value::<Metrics>(json.clone()).unwrap(), metrics);
        for key in ["rows", "confusion", "nonsense"] {
            let mut wrong = json.clone();
            if wrong.as_object_mut().unwrap().remove(key).is_none() {
                wrong[key] = 1.0.into();
            }
            let error = serde_json::from_value::<Metrics>(wrong).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
    /// Undefined values are null, both ways; what sets of labels add is read back, and what earlier versions wrote, too.
    #[test]
    fn undefined_values_and_sets_are_read_back() {
        let sets = [vec![0, 2], vec![]].map(|labels| Scored::Multi {
            labels: labels.into(),
            predicted: vec![0],
            probabilities: vec![0.75, 0.25, 0.5],
            loss: 0.5,
        });
        let names = ["a", "b", "c"].map(String::from);
        let metrics = Metrics::new(&names, sets);
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!((&json["macro_precision"], &json["per_class"][1]["precision"]), (&Value::Null, &Value::Null));
        assert_eq!(
            (&json["per_class"][1]["average_precision"], &json["per_class"][0]["predicted"]),
            (&Value::Null, &2.into())
        );
        assert_eq!(json["co_occurrence"], serde_json::json!([[0, 0, 1], [0, 0, 0], [1, 0, 0]]));
        assert_eq!(serde_json::from_value::<Metrics>(json).unwrap(), metrics);
        assert!(metrics.get(Metric::MacroPrecision).is_nan() && metrics.is_measured(Metric::MacroPrecision));
        let earlier = r#"{"rows":1,"loss":0.5,"accuracy":1.0,"macro_f1":1.0,"calibration_error":0.25,"per_class":[{"label":"a",
            "precision":0.0,"recall":0.0,"f1":0.0,"support":0}],"confusion":[[1]],"f1:a":0.5}"#;
        let earlier: Metrics = serde_json::from_str(earlier).unwrap();
        assert_eq!(
            (earlier.get(Metric::Accuracy), earlier.get(Metric::f1_of("a")), earlier.values().count()),
            (1.0, 0.5, 5)
        );
    }
}
