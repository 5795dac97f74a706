//! Texts that were read in a wrong encoding and written again: UTF-8 as GB18030 or as Windows-1252.

/// The characters of GB18030 whose two bytes are the first two of a Chinese character or of Chinese punctuation in UTF-8, sorted.
/// They are a third of such text, and rare in any other. Computed in Python: `bytes([a, b]).decode("gbk")` for `a` in E4–E9 and `b` in
/// 80–BF, and EF BC, EF BD and E3 80.
const OFTEN: &str = "\
    妗妞妤妫妯妲妾姊姒姗姘姝姣姹娅娆娈娉娌娑娓娣娲娴娼婀婊婕婢婧婵宀宄宓宕宥宸寤寮寰搴杈杌杓杞杩棣棰椁椋椐椤椴椹楂楗楝楠楣楦\
    楫楱楸楹榀榄榇榈榉榘榛榧榫榭榻槌槎洄洇洌洎洙洚洧洫洮洳洵洹浃浈浍浏浒浔浜浞浠浣浯浼涑涓涔涞涠淇渚澧澶澹濂濉濞濠濡濮濯瀚瀛\
    瀣瀵瀹灏灞琚琛瑁瑕瑗瑙瑜瑭瑷瑾璀璁璇璋璎璐璜璞璧璨璩璺瓒甯纭纰纾绀绁绂绉绋绌绐绔绗绛绠绡绨绫绮绯绱绲绶绺绻绾缁缂缃缇缈缍\
    褰蹇銆鋩鋪鋫鋬鋭鋮鋯鋰鋱鋲鋳鋴鋵鋶鋷鋸鋹鋺鋻鋼鋽鋾鋿錀錁錂錃錄錅錆錇錈錉鍊鍋鍌鍍鍎鍏鍐鍑鍒鍓鍔鍕鍖鍗鍘鍙鍚鍛鍜鍝鍞鍟鍠鍡\
    鍢鍣鍤鍥鍦鍧鍨鍩鍫鎬鎭鎮鎯鎰鎱鎲鎳鎴鎵鎶鎷鎸鎹鎺鎻鎼鎽鎾鎿鏀鏁鏂鏃鏄鏅鏆鏇鏈鏉鏋鏌鏍鐎鐏鐐鐑鐒鐓鐔鐕鐖鐗鐘鐙鐚鐛鐜鐝鐞鐟\
    鐠鐡鐢鐣鐤鐥鐦鐧鐨鐩鐪鐫鐬鐭鐮鑰鑱鑲鑳鑴鑵鑶鑷鑸鑹鑺鑻鑼鑽鑾鑿钀钁钂钃钄钑钖钘铇铏铓铔铚铦铻锛锜锝锠閫閬閭閮閯閰閱閲閳閴\
    閵閶閷閸閹閺閻閼閽閾閿闀闁闂闃闄闅闆闇闈闉闊闋韪韫韬骞";

/// The characters of Windows-1252 for the bytes 80–9F; those that it lacks map to themselves.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Bytes of a text that are looked at.
const LOOKED_AT: usize = 256;

/// Characters beyond ASCII without any of [`OFTEN`] among them that are enough to tell.
const ENOUGH: usize = 12;

/// What texts were read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReadAs {
    Gb18030,
    Windows1252,
}

impl ReadAs {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gb18030 => "GB18030",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// Tells texts that are UTF-8 read as something else.
pub(super) struct Mojibake {
    /// A bit for each character below U+10000: whether it is one of [`OFTEN`], all of which have three bytes. Every character of every
    /// text is looked up.
    often: Vec<u64>,
}

impl Default for Mojibake {
    fn default() -> Self {
        let mut often = vec![0; 1 << 10];
        for code in OFTEN.chars().map(|c| c as usize) {
            often[code >> 6] |= 1 << (code & 63);
        }
        Self { often }
    }
}

impl Mojibake {
    /// What a text was read as, where it was UTF-8.
    pub(super) fn read_as(&self, text: &str) -> Option<ReadAs> {
        if text.is_ascii() {
            return None;
        }
        let text = beginning(text, LOOKED_AT);
        match () {
            () if self.is_gb18030(text) => Some(ReadAs::Gb18030),
            () if is_windows(text) => Some(ReadAs::Windows1252),
            () => None,
        }
    }

    /// Whether the characters of a text are those that UTF-8 read as GB18030 has.
    fn is_gb18030(&self, text: &str) -> bool {
        // By bytes: this is most of the time that a text takes here.
        let (bytes, mut at) = (text.as_bytes(), 0);
        // The characters beyond ASCII, and those of `OFTEN` among them.
        let (mut all, mut often) = (0, 0);
        while let Some(&first) = bytes.get(at) {
            // A third of such characters: hardly any text begins without one. Nearly all are told by that.
            if all >= ENOUGH && often == 0 {
                return false;
            }
            match (first, &bytes[at + 1..]) {
                (..0x80, _) => at += 1,
                (0xE0..0xF0, [second, third, ..]) => {
                    (all, at) = (all + 1, at + 3);
                    let bits = self.often[usize::from(first & 15) << 6 | usize::from(second & 63)];
                    often += (bits >> (third & 63) & 1) as usize;
                }
                _ => (all, at) = (all + 1, at + if first < 0xE0 { 2 } else { 4 }),
            }
        }
        often >= 3 && 5 * often >= all
    }
}

/// The first bytes of a text, at most so many.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Whether the characters of a text, as bytes of Windows-1252, are UTF-8 beyond ASCII.
fn is_windows(text: &str) -> bool {
    // All of Windows-1252 comes before U+3000 in Unicode; Chinese and Japanese do not.
    if text.bytes().find(|byte| *byte >= 0x80).is_some_and(|first| first >= 0xE3) {
        return false;
    }
    let byte = |c: char| match u32::from(c) {
        code @ 0..=0xFF => Some(code as u8),
        _ => WINDOWS.iter().position(|known| *known == c).map(|at| 0x80 + at as u8),
    };
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    // The text may be cut inside one of its characters.
    bytes.is_some_and(|bytes| match str::from_utf8(&bytes) {
        Ok(text) => !text.is_ascii(),
        Err(error) => error.error_len().is_none() && !bytes[..error.valid_up_to()].is_ascii(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_a_wrong_encoding_are_distinguished_from_sound_ones() {
        let mojibake = Mojibake::default();
        assert!(OFTEN.chars().all(|c| c.len_utf8() == 3));
        assert_eq!(mojibake.often.iter().map(|bits| bits.count_ones() as usize).sum::<usize>(), OFTEN.chars().count());
        // 味道很好，送餐很快啊; 难吃，太慢了啊; 服务员态度很差啊, each `.encode().decode("gb18030")` in Python.
        for text in ["鍛抽亾寰堝ソ锛岄侀寰堝揩鍟", "闅惧悆锛屽お鎱簡鍟", "鏈嶅姟鍛樻佸害寰堝樊鍟"]
        {
            assert_eq!(mojibake.read_as(text), Some(ReadAs::Gb18030), "{text}");
        }
        // café, “fine”, 好吃 and naïve, each `.encode().decode("cp1252")`.
        for text in ["cafÃ©", "â€œfineâ€\u{9d}", "å¥½åƒ", "naÃ¯ve"] {
            assert_eq!(mojibake.read_as(text), Some(ReadAs::Windows1252), "{text}");
        }
        for text in [
            "味道很好，送餐很快",
            "café",
            "Ã is a letter",
            "São Paulo — 5 €",
            "长江、淇水与洹河",
            "涓涓细流",
            "abc",
            "",
            "“好”",
        ] {
            assert_eq!(mojibake.read_as(text), None, "{text}");
        }
    }
}
