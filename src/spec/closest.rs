//! The likest of some names.

/// Below this likeness (0 to 1) a guess confuses more than it helps.
const LIKE: f64 = 0.6;

/// Characters of a name that somebody may have mistyped, and names that are compared with it, at most: the work grows with
/// the product of all three.
pub(super) const LONGEST: usize = 100;
const MOST: usize = 1000;

/// The likest of `names`, if any is like enough.
pub(super) fn closest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wanted.chars().take(LONGEST + 1).count();
    if length > LONGEST {
        return None;
    }
    let wanted = wanted.to_lowercase();
    // Names of which one is that much longer are not alike, whatever they share.
    let possible = |name: &&str| {
        let other = name.chars().take(2 * LONGEST).count();
        length.min(other) as f64 >= LIKE * length.max(other) as f64
    };
    let scored = names.into_iter().take(MOST).filter(possible);
    let scored = scored.map(|name| (strsim::normalized_damerau_levenshtein(&wanted, name), name));
    scored.filter(|(score, _)| *score >= LIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
