//! Which runs a short list shows.

/// The best trial of a plan.
pub struct Best {
    /// It and its value.
    pub text: String,
    /// Keys of its runs.
    pub runs: Vec<String>,
}

/// Moves those items that must be shown among the last `most`, if there is room for all of them: the last of the others stay there, and all
/// shown ones keep their order.
pub fn keep_among_the_last<T>(items: &mut Vec<T>, must_show: impl Fn(&T) -> bool, most: usize) {
    let wanted = items.iter().filter(|item| must_show(item)).count();
    let Some(mut room) = most.checked_sub(wanted) else { return };
    let mut is_shown: Vec<bool> = items.iter().map(&must_show).collect();
    for shown in is_shown.iter_mut().rev().filter(|shown| !**shown) {
        if room == 0 {
            break;
        }
        (*shown, room) = (true, room - 1);
    }
    // The others first; both in their order.
    let mut order: Vec<(bool, T)> = is_shown.into_iter().zip(std::mem::take(items)).collect();
    order.sort_by_key(|(is_shown, _)| *is_shown);
    items.extend(order.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_shown_is_among_the_last_in_order() {
        let of = |must: &[usize], most: usize| {
            let mut items: Vec<usize> = (0..8).collect();
            keep_among_the_last(&mut items, |item| must.contains(item), most);
            items[8usize.saturating_sub(most)..].to_vec()
        };
        assert_eq!(of(&[1, 6], 4), [1, 5, 6, 7]);
        assert_eq!(of(&[0, 1, 2], 4), [0, 1, 2, 7]);
        assert_eq!(of(&[6, 7], 4), [4, 5, 6, 7], "they are there already");
        assert_eq!(of(&[0, 1, 2], 2), [6, 7], "no room for all of them");
        assert_eq!(of(&[], 3), [5, 6, 7]);
        assert_eq!(of(&[0], 20), (0..8).collect::<Vec<_>>());
    }
}
