//! The mean of several curves, with the range that they cover.

use super::super::charts::Mean;

/// The mean of curves at the positions that all of them have, with the lowest and the highest value there. Positions are ascending;
/// a position at which a value is not finite is left out.
pub fn average(curves: &[&[(f64, f64)]]) -> Mean {
    let mut mean = Mean::default();
    let Some((first, others)) = curves.split_first() else { return mean };
    let mut at = vec![0; others.len()];
    for &(x, y) in *first {
        let mut values = vec![y];
        for (curve, at) in others.iter().zip(&mut at) {
            while curve.get(*at).is_some_and(|point| point.0 < x) {
                *at += 1;
            }
            values.extend(curve.get(*at).filter(|point| point.0 == x).map(|point| point.1));
        }
        if values.len() == curves.len() && values.iter().all(|value| value.is_finite()) {
            let fold = |of: fn(f64, f64) -> f64| values.iter().copied().fold(values[0], of);
            mean.points.push((x, values.iter().sum::<f64>() / values.len() as f64));
            mean.low.push((x, fold(f64::min)));
            mean.high.push((x, fold(f64::max)));
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_averaged_where_all_have_a_value() {
        let a = [(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 4.0)];
        let b = [(2.0, 4.0), (3.0, 1.0), (4.0, 0.0), (5.0, 9.0)];
        let found = average(&[&a, &b]);
        assert_eq!(found.points, [(2.0, 3.0), (4.0, 2.0)]);
        assert_eq!((found.low, found.high), (vec![(2.0, 2.0), (4.0, 0.0)], vec![(2.0, 4.0), (4.0, 4.0)]));
        let alone = average(&[&a]);
        assert_eq!((alone.points.clone(), alone.low), (vec![a[0], a[1], a[3]], alone.points));
        assert!(average(&[]).points.is_empty());
    }
}
