//! Rust as words.

/// The words and signs of a file.
pub struct Code {
    pub all: Vec<String>,
    /// Without the items under `#[cfg(test)]`.
    pub outside_tests: Vec<String>,
    /// The line of each of these, from 0.
    pub lines: Vec<usize>,
    /// Modules declared under `#[cfg(test)]` whose text is in files of their own.
    pub test_modules: Vec<Vec<String>>,
}

impl Code {
    pub fn of(module: &[String], text: &str) -> Self {
        let (all, at): (Vec<String>, Vec<usize>) = words(text).into_iter().unzip();
        let (mut outside_tests, mut lines) = (Vec::new(), Vec::new());
        let mut test_modules = Vec::new();
        let mut i = 0;
        while i < all.len() {
            if starts_with(&all[i..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
                let end = item_end(&all, i + 7);
                if let Some(at) = all[i..end].iter().position(|word| word == "mod")
                    && all[end - 1] == ";"
                {
                    test_modules.push(module.iter().chain([&all[i + at + 1]]).cloned().collect());
                }
                i = end;
            } else {
                outside_tests.push(all[i].clone());
                lines.push(at[i]);
                i += 1;
            }
        }
        Self { all, outside_tests, lines, test_modules }
    }
}

pub fn starts_with(words: &[String], want: &[&str]) -> bool {
    words.len() >= want.len() && words.iter().zip(want).all(|(word, want)| word == want)
}

/// The end of the item that begins at `i`: after its `;`, or after its braces. `use a::{b};` ends with its `;`.
fn item_end(words: &[String], mut i: usize) -> usize {
    let is_use = words[i..].iter().take(5).any(|word| word == "use");
    let mut depth = 0;
    while i < words.len() {
        match words[i].as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && words[i] == "}" && !is_use {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
        i += 1;
    }
    i
}

/// Splits Rust into words, `::` and single signs, without comments and without what is in quotes: each with its
/// line, from 0.
fn words(text: &str) -> Vec<(String, usize)> {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let mut words = Vec::new();
    let (mut i, mut line, mut counted) = (0, 0, 0);
    while i < c.len() {
        line += c[counted..i].iter().filter(|sign| **sign == '\n').count();
        counted = i;
        if c[i].is_whitespace() {
            i += 1;
        } else if c[i] == '/' && at(i + 1) == '/' {
            while i < c.len() && c[i] != '\n' {
                i += 1;
            }
        } else if c[i] == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= c.len() {
                    break;
                }
            }
        } else if c[i] == '"' {
            i = string_end(&c, i + 1);
        } else if c[i] == '\'' {
            // A character, or a lifetime: only the first has a closing quote.
            i = match (at(i + 1), at(i + 2)) {
                ('\\', _) => (i + 3..c.len()).find(|end| c[*end] == '\'').map_or(c.len(), |end| end + 1),
                (_, '\'') => i + 3,
                _ => i + 1,
            };
        } else if c[i].is_alphanumeric() || c[i] == '_' {
            let start = i;
            while i < c.len() && (c[i].is_alphanumeric() || c[i] == '_') {
                i += 1;
            }
            let word: String = c[start..i].iter().collect();
            let hashes = c[i..].iter().take_while(|sign| **sign == '#').count();
            if ["r", "br", "cr"].contains(&word.as_str()) && at(i + hashes) == '"' {
                let closing: String = format!("\"{}", "#".repeat(hashes));
                i += hashes + 1;
                while i < c.len() && !c[i..].iter().take(hashes + 1).collect::<String>().eq(&closing) {
                    i += 1;
                }
                i += hashes + 1;
            } else {
                words.push((word, line));
            }
        } else if c[i] == ':' && at(i + 1) == ':' {
            words.push(("::".into(), line));
            i += 2;
        } else {
            words.push((c[i].to_string(), line));
            i += 1;
        }
    }
    words
}

fn string_end(c: &[char], mut i: usize) -> usize {
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}
