//! Which language texts are in, where their letters leave no doubt.

/// Letters that are looked at.
const LETTERS: usize = 200_000;

/// The least share of all letters that are those of the language.
const LEAST: f64 = 0.7;

/// The language (ISO 639-1) whose script the texts are in; `None` where several languages have it, as the Latin one.
///
/// Japanese is told from Chinese by its syllabaries, which have a third or more of the letters of its texts.
pub(super) fn script_of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let [mut han, mut kana, mut hangul, mut all] = [0u32; 4];
    for c in texts.flat_map(str::chars).filter(|c| c.is_alphabetic()).take(LETTERS) {
        all += 1;
        match c {
            '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' => kana += 1,
            '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => han += 1,
            '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7a3}' => hangul += 1,
            _ => {}
        }
    }
    let share = |n: u32| f64::from(n) / f64::from(all.max(1));
    match () {
        () if share(han + kana) >= LEAST && share(kana) >= 0.1 => Some("ja"),
        () if share(han) >= LEAST && share(kana) < 0.02 => Some("zh"),
        () if share(hangul) >= LEAST => Some("ko"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_of_one_language_name_it() {
        for (text, language) in [
            ("送餐很快，味道不错 OK", Some("zh")),
            ("配達が早くて美味しかったです", Some("ja")),
            ("배달이 빨라요", Some("ko")),
            ("Delivery was quick", None),
            ("送餐 quick delivery and hot noodles", None),
            ("2024 !!", None),
            ("", None),
        ] {
            assert_eq!(script_of([text].into_iter()), language, "{text}");
        }
    }
}
