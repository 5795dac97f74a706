//! Finds the most similar of several names.

/// Below this similarity (0 to 1) a suggestion confuses more than it helps.
const LIKE: f64 = 0.6;

/// Longest name that is compared, and most names that it is compared with: the cost grows with the product of the lengths and the
/// number.
pub(super) const LONGEST: usize = 100;
const MOST: usize = 1000;

/// The most similar of `names`, if it is similar enough.
pub fn closest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wanted.chars().take(LONGEST + 1).count();
    if length > LONGEST {
        return None;
    }
    let wanted = wanted.to_lowercase();
    // Names of very different lengths are not similar, whatever they share.
    let possible = |name: &&str| {
        let other = name.chars().take(2 * LONGEST).count();
        length.min(other) as f64 >= LIKE * length.max(other) as f64
    };
    let scored = names.into_iter().take(MOST).filter(possible);
    let scored = scored.map(|name| (strsim::normalized_damerau_levenshtein(&wanted, name), name));
    scored.filter(|(score, _)| *score >= LIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
