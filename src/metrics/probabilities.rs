//! The predicted probabilities of one row.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// Probabilities (0 to 1, float32) of all labels, or of the most probable ones if there are many.
///
/// They are serialised as an array by label id if all are stored, otherwise as an object from id to probability, the most probable first.
/// JSON has no NaN: it is read from `null`.
#[derive(Clone, PartialEq)]
pub struct Probabilities(Stored);

#[derive(Clone, PartialEq)]
enum Stored {
    All(Vec<f32>),
    Most(Vec<(u32, f32)>),
}

impl Probabilities {
    /// The most labels with which all probabilities are stored.
    pub const ALL: usize = 100;
    /// How many of the most probable labels are stored if there are more.
    pub const MOST: usize = 20;

    /// The probabilities of a row, given for all labels by id. With more than [`Self::ALL`] labels only those of the [`Self::MOST`] most
    /// probable ones are stored, and those of the row's own labels `own`.
    pub fn new(all: Vec<f32>, own: &[u32]) -> Self {
        if all.len() <= Self::ALL {
            return Self(Stored::All(all));
        }
        let by_rank = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let mut most: Vec<(u32, f32)> = (0..).zip(all).collect();
        let own: Vec<(u32, f32)> = own.iter().filter_map(|id| most.get(*id as usize).copied()).collect();
        most.select_nth_unstable_by(Self::MOST - 1, by_rank);
        most.truncate(Self::MOST);
        most.sort_by(by_rank);
        let beside = |(id, _): &(u32, f32)| most.iter().all(|(stored, _)| stored != id);
        let beside: Vec<(u32, f32)> = own.into_iter().filter(beside).collect();
        most.extend(beside);
        Self(Stored::Most(most))
    }

    /// The same, reduced to what [`Self::new`] would store.
    #[must_use]
    pub fn bounded(self, own: &[u32]) -> Self {
        match self.0 {
            Stored::All(all) => Self::new(all, own),
            most @ Stored::Most(_) => Self(most),
        }
    }

    /// Only these: (id, probability) of each.
    pub fn named(these: Vec<(u32, f32)>) -> Self {
        Self(Stored::Most(these))
    }

    /// Whether each is stored with its id: not all are stored.
    pub fn are_named(&self) -> bool {
        matches!(self.0, Stored::Most(_))
    }

    /// Whether none is stored: of numbers there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The probability of a label, if it is stored.
    pub fn get(&self, id: u32) -> Option<f32> {
        match &self.0 {
            Stored::All(all) => all.get(id as usize).copied(),
            Stored::Most(most) => most.iter().find(|(stored, _)| *stored == id).map(|(_, p)| *p),
        }
    }

    /// (id, probability) of each stored label: by id if all are stored, otherwise the most probable first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (all, most) = match &self.0 {
            Stored::All(all) => (&all[..], &[][..]),
            Stored::Most(most) => (&[][..], &most[..]),
        };
        (0..).zip(all.iter().copied()).chain(most.iter().copied())
    }

    /// (id, probability) of the `n` most probable labels, the most probable first; of equals, the lower id.
    pub fn most(&self, n: usize) -> Vec<(u32, f32)> {
        let mut ranked: Vec<_> = self.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(n);
        ranked
    }

    /// Id of the most probable label, the lower id of equals; 0 if none is stored.
    pub fn argmax(&self) -> u32 {
        let best = self.iter().fold(None, |best: Option<(u32, f32)>, (id, p)| match best {
            Some((first, highest)) if p > highest || (p == highest && id < first) => Some((id, p)),
            None => Some((id, p)),
            best => best,
        });
        best.map_or(0, |(id, _)| id)
    }

    /// The highest probability; 0 if none is stored.
    pub fn highest(&self) -> f32 {
        self.iter().map(|(_, p)| p).fold(0.0, f32::max)
    }
}

impl From<Vec<f32>> for Probabilities {
    /// Stores all of them, however many.
    fn from(all: Vec<f32>) -> Self {
        Self(Stored::All(all))
    }
}

impl fmt::Debug for Probabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stored::All(all) => all.fmt(f),
            Stored::Most(most) => f.debug_map().entries(most.iter().copied()).finish(),
        }
    }
}

impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Stored::All(all) => all.serialize(serializer),
            Stored::Most(most) => serializer.collect_map(most.iter().map(|(id, p)| (id.to_string(), p))),
        }
    }
}

impl<'de> Deserialize<'de> for Probabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = Probabilities;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("probabilities: an array, or an object by label id")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Probabilities, A::Error> {
                let mut all = Vec::new();
                while let Some(p) = values.next_element::<Option<f32>>()? {
                    all.push(p.unwrap_or(f32::NAN));
                }
                Ok(Probabilities(Stored::All(all)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Probabilities, A::Error> {
                let mut most = Vec::new();
                while let Some((id, p)) = map.next_entry::<String, Option<f32>>()? {
                    let id = id.parse().map_err(|_| de::Error::custom(format!("`{id}` is not a label id")))?;
                    most.push((id, p.unwrap_or(f32::NAN)));
                }
                Ok(Probabilities(Stored::Most(most)))
            }
        }
        deserializer.deserialize_any(Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_labels_all_are_stored() {
        let p = Probabilities::new(vec![0.2, 0.5, 0.3], &[0]);
        assert_eq!(p.iter().collect::<Vec<_>>(), [(0, 0.2), (1, 0.5), (2, 0.3)]);
        assert_eq!((p.get(2), p.get(3), p.argmax(), p.highest()), (Some(0.3), None, 1, 0.5));
        assert_eq!(serde_json::to_string(&p).unwrap(), "[0.2,0.5,0.3]");
    }

    #[test]
    fn of_many_labels_the_most_probable_and_the_rows_own_are_stored() {
        let all: Vec<f32> = (0..500).map(|id| if id == 333 { 0.5 } else { id as f32 / 1e6 }).collect();
        let p = Probabilities::new(all.clone(), &[3]);
        let ids: Vec<u32> = p.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), Probabilities::MOST + 1);
        assert_eq!((ids[0], ids[1], ids[19], ids[20]), (333, 499, 481, 3));
        assert_eq!((p.argmax(), p.highest(), p.get(3), p.get(4)), (333, 0.5, Some(3e-6), None));
        // The row's own label is among the most probable: it is stored once.
        assert_eq!(Probabilities::new(all.clone(), &[333]).iter().count(), Probabilities::MOST);
        // Probabilities that an earlier version stored completely are reduced the same way.
        assert_eq!(Probabilities::from(all).bounded(&[3]), p);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let many = Probabilities::new((0..300).map(|id| 1.0 / (id + 1) as f32).collect(), &[299]);
        for p in [many, Probabilities::from(vec![0.1, f32::MIN_POSITIVE])] {
            let text = serde_json::to_string(&p).unwrap();
            assert_eq!(serde_json::from_str::<Probabilities>(&text).unwrap(), p, "{text}");
        }
        let with_nan: Probabilities = serde_json::from_str("[null,0.5]").unwrap();
        assert!(with_nan.get(0).unwrap().is_nan() && with_nan.argmax() == 0 && with_nan.highest() == 0.5);
        assert!(serde_json::from_str::<Probabilities>(r#"{"a":0.5}"#).is_err());
    }

    #[test]
    fn of_equals_the_first_is_most_probable() {
        let p = Probabilities::from(vec![0.25, 0.375, 0.375]);
        assert_eq!((p.argmax(), p.most(2)), (1, vec![(1, 0.375), (2, 0.375)]));
    }
}
