//! The table by which SentencePiece replaces characters (`precompiled_charsmap`), checked before it is used: the library that applies it
//! trusts it.
//!
//! It is the length of a trie in bytes, the trie (a double array of 32-bit units whose keys are bytes of text), and all that keys become,
//! each text with a zero byte after it. Where a key ends, the trie has the position of its text.

use tokenizers::normalizers::Precompiled;

/// Bytes that one character can become at most. The longest of Unicode's compatibility mappings has 33.
const LONGEST: usize = 64;

/// The table in these bytes.
///
/// # Errors
/// If it points outside itself, or lengthens texts beyond measure: why.
pub(super) fn read(bytes: &[u8]) -> Result<Precompiled, String> {
    let (trie, texts) = parts(bytes)?;
    let Reached { outside, longest } = Reached::of(&trie, texts);
    if outside {
        return Err("its table of characters refers to an entry that it does not have".into());
    }
    check_longest(longest)?;
    Precompiled::from(bytes).map_err(|error| error.to_string())
}

/// Refuses a table for which the library would need memory out of proportion, be it for the table or for a text. A table that is damaged
/// otherwise is left to the library.
pub(super) fn check_memory(bytes: &[u8]) -> Result<(), String> {
    let states = bytes.first_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    if states > bytes.len().saturating_sub(4) {
        return Err("`precompiled_charsmap` states more bytes than it has: it is truncated".into());
    }
    let Ok((trie, texts)) = parts(bytes) else { return Ok(()) };
    check_longest(Reached::of(&trie, texts).longest)
}

fn check_longest(longest: usize) -> Result<(), String> {
    match longest <= LONGEST {
        true => Ok(()),
        false => Err(format!("its table of characters has a text of more than {LONGEST} bytes for a character")),
    }
}

/// The units of the trie and the texts.
fn parts(bytes: &[u8]) -> Result<(Vec<usize>, &str), String> {
    let (size, rest) = bytes.split_first_chunk().ok_or("its table of characters is truncated")?;
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    if size == 0 || size > rest.len() {
        return Err(format!("its table of characters states a trie of {size} bytes, but {} bytes follow", rest.len()));
    }
    let (trie, texts) = rest.split_at(size);
    let units = trie.chunks_exact(4).map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]) as usize);
    let texts = std::str::from_utf8(texts).map_err(|_| "its table of characters has texts that are not UTF-8")?;
    Ok((units.collect(), texts))
}

/// What the texts to be changed can reach in a table.
#[derive(Default)]
struct Reached {
    /// Whether anything outside of it.
    outside: bool,
    /// Bytes of the longest text for a character, counted up to one more than [`LONGEST`].
    longest: usize,
}

impl Reached {
    /// Goes all ways through the trie that any text could go.
    fn of(trie: &[usize], texts: &str) -> Self {
        let children = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut found = Self::default();
        let mut seen = vec![false; trie.len()];
        let mut from = vec![children(trie[0])];
        while let Some(base) = from.pop() {
            for byte in 1..256 {
                let at = base ^ byte;
                let Some(&unit) = trie.get(at) else {
                    found.outside = true;
                    continue;
                };
                if unit & (1 << 31 | 0xff) != byte {
                    continue;
                }
                let next = at ^ children(unit);
                if unit & (1 << 8) != 0 {
                    let text = trie.get(next).and_then(|unit| texts.get(unit & ((1 << 31) - 1)..));
                    let text = text.map(|text| text.bytes().take(LONGEST + 1).take_while(|byte| *byte != 0).count());
                    found.outside |= text.is_none();
                    found.longest = found.longest.max(text.unwrap_or_default());
                }
                match seen.get_mut(next) {
                    Some(seen) if *seen => {}
                    Some(seen) => {
                        *seen = true;
                        from.push(next);
                    }
                    None => found.outside = true,
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{NormalizedString, Normalizer};

    use super::*;

    /// A table of the key `a`, which becomes `text`.
    fn table(text: &str) -> Vec<u8> {
        let mut trie = vec![0u32; 512];
        let label = b'a';
        // The root's children begin at 0; those of `a` at 256, where the position of its text is.
        trie[usize::from(label)] = u32::from(label) | 1 << 8 | (256 ^ u32::from(label)) << 10;
        let mut bytes = (trie.len() as u32 * 4).to_le_bytes().to_vec();
        bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_sound_table_is_read_and_applied() {
        let mut text = NormalizedString::from("banane");
        read(&table("ä!")).unwrap().normalize(&mut text).unwrap();
        assert_eq!(text.get(), "bä!nä!ne");
    }

    #[test]
    fn a_table_that_leads_out_of_itself_is_refused() {
        let sound = table("ä");
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = sound.clone();
            change(&mut bytes);
            read(&bytes).unwrap_err()
        };
        assert!(refused(&|bytes| bytes.truncate(3)).contains("truncated"));
        assert!(refused(&|bytes| bytes.truncate(99)).contains("states a trie of 2048 bytes, but 95 bytes follow"));
        assert!(refused(&|bytes| bytes[..4].fill(0xff)).contains("states a trie of 4294967292 bytes"));
        assert!(refused(&|bytes| bytes[..4].fill(0)).contains("states a trie of 0 bytes, but "));
        // Children beyond the end; a text beyond the end, or that begins in the middle of a character.
        let unit = |at: usize| 4 + 4 * at..8 + 4 * at;
        for (at, value) in [(0, 1 << 20), (usize::from(b'a'), u32::from(b'a') | 1 << 20), (256, 99), (256, 1)] {
            let error = refused(&|bytes| bytes[unit(at)].copy_from_slice(&u32::to_le_bytes(value)));
            assert!(error.contains("refers to an entry that it does not have"), "{at}: {error}");
        }
        assert!(read(&table(&"x".repeat(64))).is_ok());
        assert!(read(&table(&"x".repeat(65))).unwrap_err().contains("more than 64 bytes"));
        assert!(refused(&|bytes| *bytes.last_mut().unwrap() = 0xff).contains("not UTF-8"));
    }

    /// What the library notices itself is left to it.
    #[test]
    fn a_table_that_needs_too_much_memory_is_refused_alone_too() {
        let mut sound = table("ä");
        for bytes in [&[][..], &[0; 4], &sound, &table(&"x".repeat(64))] {
            assert_eq!(check_memory(bytes), Ok(()));
        }
        assert!(check_memory(&sound[..99]).unwrap_err().contains("truncated"));
        assert!(check_memory(&table(&"x".repeat(65))).unwrap_err().contains("more than 64 bytes"));
        sound[4..8].copy_from_slice(&u32::to_le_bytes(1 << 20));
        assert_eq!(check_memory(&sound), Ok(()), "it leads out of itself");
    }
}
