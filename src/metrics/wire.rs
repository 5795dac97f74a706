//! Serialises the metrics of an evaluation as one flat map: `rows`, each metric under its id, `per_class`, `confusion`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::StrDeserializer},
    ser::SerializeMap,
};

use super::{Metric, Metrics};

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3 + self.values.len()))?;
        map.serialize_entry("rows", &self.rows)?;
        for (metric, value) in self.values() {
            map.serialize_entry(metric.info().id, &value)?;
        }
        map.serialize_entry("per_class", &self.per_class)?;
        map.serialize_entry("confusion", &self.confusion)?;
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
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "rows" => rows = Some(map.next_value()?),
                "per_class" => per_class = Some(map.next_value()?),
                "confusion" => confusion = Some(map.next_value()?),
                id => values.push((Metric::deserialize(StrDeserializer::<A::Error>::new(id))?, map.next_value()?)),
            }
        }
        let missing = de::Error::missing_field;
        let mut metrics = Metrics::stored(
            rows.ok_or_else(|| missing("rows"))?,
            per_class.ok_or_else(|| missing("per_class"))?,
            confusion.ok_or_else(|| missing("confusion"))?,
        );
        values.into_iter().for_each(|(metric, value)| metrics.set(metric, value));
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    #[test]
    fn what_is_written_is_read_back() {
        let rows = [(0, 0), (1, 0), (1, 1)];
        let scored = rows.map(|(label, predicted)| Scored { label, predicted, confidence: 0.75, loss: 0.5 });
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
}
