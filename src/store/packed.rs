//! Predictions before training as bytes: about ten for a row with one label, since a table with a line for each row would be larger than the
//! predictions themselves.
//!
//! The first byte is the version of this form. For each row follow: its number (the distance from the row before it), what is predicted, and
//! the stored probabilities. Whole numbers are LEB128 varints; floats are little-endian and keep all their bits.

use std::sync::Arc;

use crate::{
    event::PredictionBefore,
    metrics::{Probabilities, Target},
};

const VERSION: u8 = 1;
/// Rows of one value: with a hundred labels it has some 40 MB, far from SQLite's limit of a billion bytes.
pub(super) const ROWS_OF_A_PART: usize = 100_000;
/// What is predicted: one label, a set of labels, numbers.
const KINDS: [u8; 3] = [0, 1, 2];

/// The bytes of these predictions, sorted by row.
pub(super) fn pack(predictions: &[PredictionBefore]) -> Vec<u8> {
    let mut sorted: Vec<&PredictionBefore> = predictions.iter().collect();
    sorted.sort_by_key(|p| p.row);
    let mut out = vec![VERSION];
    let mut last = 0;
    for p in sorted {
        whole(&mut out, p.row - last);
        last = p.row;
        match &p.predicted {
            Target::Label(id) => {
                out.push(KINDS[0]);
                whole(&mut out, *id);
            }
            Target::Labels(ids) => {
                out.push(KINDS[1]);
                whole(&mut out, ids.len() as u32);
                ids.iter().for_each(|id| whole(&mut out, *id));
            }
            Target::Values(values) => {
                out.push(KINDS[2]);
                whole(&mut out, values.len() as u32);
                values.iter().for_each(|value| out.extend(value.to_le_bytes()));
            }
        }
        let probabilities: Vec<(u32, f32)> = p.probabilities.iter().collect();
        let named = p.probabilities.are_named();
        whole(&mut out, (probabilities.len() as u32) << 1 | u32::from(named));
        for (id, probability) in probabilities {
            if named {
                whole(&mut out, id);
            }
            out.extend(probability.to_le_bytes());
        }
    }
    out
}

/// The predictions in these bytes; `None` if they are damaged or of another version.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<PredictionBefore>> {
    let (&VERSION, mut rest) = bytes.split_first()? else { return None };
    let mut predictions: Vec<PredictionBefore> = Vec::new();
    while !rest.is_empty() {
        let last = predictions.last().map_or(0, |p| p.row);
        let row = last.checked_add(read_whole(&mut rest)?)?;
        let (kind, after) = rest.split_first()?;
        rest = after;
        let predicted = match KINDS.iter().position(|known| known == kind)? {
            0 => Target::Label(read_whole(&mut rest)?),
            1 => {
                let n = read_whole(&mut rest)?;
                let ids = (0..n).map(|_| read_whole(&mut rest)).collect::<Option<Vec<u32>>>()?;
                Target::Labels(Arc::new(ids))
            }
            _ => {
                let n = read_whole(&mut rest)?;
                let value = |rest: &mut &[u8]| Some(f64::from_le_bytes(take(rest)?));
                Target::values((0..n).map(|_| value(&mut rest)).collect::<Option<Vec<f64>>>()?)
            }
        };
        let tag = read_whole(&mut rest)?;
        let probability = |rest: &mut &[u8]| Some(f32::from_le_bytes(take(rest)?));
        let probabilities = match tag & 1 == 1 {
            true => {
                let pairs = (0..tag >> 1).map(|_| Some((read_whole(&mut rest)?, probability(&mut rest)?)));
                Probabilities::named(pairs.collect::<Option<_>>()?)
            }
            false => Probabilities::from((0..tag >> 1).map(|_| probability(&mut rest)).collect::<Option<Vec<f32>>>()?),
        };
        predictions.push(PredictionBefore { row, predicted, probabilities });
    }
    Some(predictions)
}

fn whole(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_whole(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(row: u32, predicted: Target, probabilities: Probabilities) -> PredictionBefore {
        PredictionBefore { row, predicted, probabilities }
    }

    /// Row, what is predicted, whether probabilities are named, and their bits.
    type Bits = (u32, Target, bool, Vec<(u32, u32)>);

    fn bits(predictions: &[PredictionBefore]) -> Vec<Bits> {
        let of = |p: &PredictionBefore| {
            let probabilities = p.probabilities.iter().map(|(id, p)| (id, p.to_bits())).collect();
            (p.row, p.predicted.clone(), p.probabilities.are_named(), probabilities)
        };
        predictions.iter().map(of).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_bit_for_bit() {
        let named = |pairs: &[(u32, f32)]| Probabilities::named(pairs.to_vec());
        let rows = [
            before(0, Target::Label(0), named(&[(0, 0.1 + 0.2)])),
            before(3, Target::Label(200), named(&[(200, f32::NAN), (1, f32::MIN_POSITIVE)])),
            before(4_000_000_000, Target::Label(1), vec![0.25, 0.75].into()),
        ];
        assert_eq!(bits(&unpack(&pack(&rows)).unwrap()), bits(&rows));
        let sets = [
            before(1, Target::labels(vec![]), vec![0.1, 0.2, 0.3].into()),
            before(2, Target::labels(vec![0, 299]), named(&[(299, 0.9), (0, 0.6)])),
        ];
        assert_eq!(bits(&unpack(&pack(&sets)).unwrap()), bits(&sets));
        let numbers = [before(7, Target::values(vec![0.1 + 0.2, f64::INFINITY]), vec![].into())];
        assert_eq!(bits(&unpack(&pack(&numbers)).unwrap()), bits(&numbers));
        assert_eq!(unpack(&pack(&[])).unwrap(), []);
        // In the order of the rows.
        let [a, b, c] = rows;
        assert_eq!(pack(&[c.clone(), a.clone(), b.clone()]), pack(&[a, b, c]));
    }

    #[test]
    fn a_row_with_one_label_takes_about_ten_bytes() {
        let row = |i: u32| {
            let own = if i.is_multiple_of(2) { vec![(0, 0.5)] } else { vec![(1, 0.5), (0, 0.3)] };
            before(i * 3, Target::Label(i % 2), Probabilities::named(own))
        };
        let rows: Vec<_> = (0..1000).map(row).collect();
        assert!(pack(&rows).len() <= 11_600, "{}", pack(&rows).len());
    }

    #[test]
    fn damaged_bytes_are_no_predictions() {
        let bytes = pack(&[before(3, Target::labels(vec![1, 2]), vec![0.5, 0.25, 0.75].into())]);
        for cut in 2..bytes.len() {
            assert_eq!(unpack(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(unpack(&[]), None);
        assert_eq!(unpack(&[2]), None, "another version");
        assert_eq!(unpack(&[1, 0, 9, 0, 0]), None, "another kind");
        assert_eq!(unpack(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0]), None, "a number that is too large");
        // A length that no bytes follow takes no memory.
        assert_eq!(unpack(&[1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }
}
