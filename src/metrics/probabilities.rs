//! The probabilities that a classifier gives a row's labels.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// Probability of each label, or with many labels of the most probable ones.
///
/// As text it is an array in the order of the ids where all are held, and else an object, id to probability, the most
/// probable first. Text has no NaN: that one is `null`.
#[derive(Clone, PartialEq)]
pub struct Probabilities(Held);

#[derive(Clone, PartialEq)]
enum Held {
    All(Vec<f32>),
    Most(Vec<(u32, f32)>),
}

impl Probabilities {
    /// Labels up to which all probabilities are held.
    pub const ALL: usize = 100;
    /// The most probable labels that are held of more.
    pub const MOST: usize = 20;

    /// Of a row with these probabilities. Where there are more than [`Self::ALL`] labels, those of the [`Self::MOST`] most
    /// probable ones are held, and that of the row's own label.
    pub fn new(all: Vec<f32>, own: Option<u32>) -> Self {
        if all.len() <= Self::ALL {
            return Self(Held::All(all));
        }
        let by_rank = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let mut most: Vec<(u32, f32)> = (0..).zip(all).collect();
        let own = own.and_then(|id| most.get(id as usize).copied());
        most.select_nth_unstable_by(Self::MOST - 1, by_rank);
        most.truncate(Self::MOST);
        most.sort_by(by_rank);
        most.extend(own.filter(|(id, _)| most.iter().all(|(held, _)| held != id)));
        Self(Held::Most(most))
    }

    /// The same, with no more than [`Self::new`] would hold.
    #[must_use]
    pub fn bounded(self, own: u32) -> Self {
        match self.0 {
            Held::All(all) => Self::new(all, Some(own)),
            most @ Held::Most(_) => Self(most),
        }
    }

    /// The probability of a label, where it is held.
    pub fn get(&self, id: u32) -> Option<f32> {
        match &self.0 {
            Held::All(all) => all.get(id as usize).copied(),
            Held::Most(most) => most.iter().find(|(held, _)| *held == id).map(|(_, p)| *p),
        }
    }

    /// (id, probability) of those that are held: by id where these are all, else the most probable first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (all, most) = match &self.0 {
            Held::All(all) => (&all[..], &[][..]),
            Held::Most(most) => (&[][..], &most[..]),
        };
        (0..).zip(all.iter().copied()).chain(most.iter().copied())
    }

    /// The `n` most probable labels, the most probable first; of equals, the lower id.
    pub fn most(&self, n: usize) -> Vec<(u32, f32)> {
        let mut ranked: Vec<_> = self.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(n);
        ranked
    }

    /// Id of the most probable label, the first of equals; 0 where none is held.
    pub fn argmax(&self) -> u32 {
        let best = self.iter().fold(None, |best: Option<(u32, f32)>, (id, p)| match best {
            Some((first, highest)) if p > highest || (p == highest && id < first) => Some((id, p)),
            None => Some((id, p)),
            best => best,
        });
        best.map_or(0, |(id, _)| id)
    }

    /// The highest probability; 0 where none is held.
    pub fn highest(&self) -> f32 {
        self.iter().map(|(_, p)| p).fold(0.0, f32::max)
    }
}

impl From<Vec<f32>> for Probabilities {
    /// All of them, however many.
    fn from(all: Vec<f32>) -> Self {
        Self(Held::All(all))
    }
}

impl fmt::Debug for Probabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::All(all) => all.fmt(f),
            Held::Most(most) => f.debug_map().entries(most.iter().copied()).finish(),
        }
    }
}

impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Held::All(all) => all.serialize(serializer),
            Held::Most(most) => serializer.collect_map(most.iter().map(|(id, p)| (id.to_string(), p))),
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
                Ok(Probabilities(Held::All(all)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Probabilities, A::Error> {
                let mut most = Vec::new();
                while let Some((id, p)) = map.next_entry::<String, Option<f32>>()? {
                    let id = id.parse().map_err(|_| de::Error::custom(format!("`{id}` is not a label id")))?;
                    most.push((id, p.unwrap_or(f32::NAN)));
                }
                Ok(Probabilities(Held::Most(most)))
            }
        }
        deserializer.deserialize_any(Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_held() {
        let p = Probabilities::new(vec![0.2, 0.5, 0.3], Some(0));
        assert_eq!(p.iter().collect::<Vec<_>>(), [(0, 0.2), (1, 0.5), (2, 0.3)]);
        assert_eq!((p.get(2), p.get(3), p.argmax(), p.highest()), (Some(0.3), None, 1, 0.5));
        assert_eq!(serde_json::to_string(&p).unwrap(), "[0.2,0.5,0.3]");
    }

    #[test]
    fn of_many_the_most_probable_and_the_rows_own_are_held() {
        let all: Vec<f32> = (0..500).map(|id| if id == 333 { 0.5 } else { id as f32 / 1e6 }).collect();
        let p = Probabilities::new(all.clone(), Some(3));
        let ids: Vec<u32> = p.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), Probabilities::MOST + 1);
        assert_eq!((ids[0], ids[1], ids[19], ids[20]), (333, 499, 481, 3));
        assert_eq!((p.argmax(), p.highest(), p.get(3), p.get(4)), (333, 0.5, Some(3e-6), None));
        // The row's own is among the most probable: it is held once.
        assert_eq!(Probabilities::new(all.clone(), Some(333)).iter().count(), Probabilities::MOST);
        // What an earlier version stored whole is bounded the same way.
        assert_eq!(Probabilities::from(all).bounded(3), p);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let many = Probabilities::new((0..300).map(|id| 1.0 / (id + 1) as f32).collect(), Some(299));
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
