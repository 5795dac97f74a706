//! How many parameters a function has, and how long its body is.

use crate::code::Code;

pub struct Function<'a> {
    pub name: &'a str,
    pub parameters: usize,
    /// Lines between its braces; 0 where they are on one line, or there are none.
    pub lines: usize,
}

/// All functions outside tests.
pub fn functions(code: &Code) -> Vec<Function<'_>> {
    let words = &code.outside_tests;
    let named =
        |at: usize| words.get(at + 1).is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    let starts = (0..words.len()).filter(|&at| words[at] == "fn" && named(at));
    starts.filter_map(|at| function(code, at)).collect()
}

fn function(code: &Code, at: usize) -> Option<Function<'_>> {
    let words = &code.outside_tests;
    // Past the type parameters, in which `->` closes nothing.
    let (mut open, mut angles) = (at + 2, 0);
    while angles > 0 || words.get(open)? != "(" {
        match words.get(open)?.as_str() {
            "<" => angles += 1,
            ">" if words[open - 1] != "-" => angles -= 1,
            _ => {}
        }
        open += 1;
    }
    let (mut depth, mut angles, mut parameters, mut i) = (0, 0, 0, open);
    loop {
        match words.get(i)?.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "<" => angles += 1,
            ">" if words[i - 1] != "-" => angles -= 1,
            "," if depth == 1 && angles == 0 => parameters += 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        i += 1;
    }
    // The last may be without a comma.
    parameters += usize::from(i > open + 1 && words[i - 1] != ",");
    let mut depth = 0;
    let mut begin = None;
    while let Some(word) = words.get(i) {
        match word.as_str() {
            ";" if depth == 0 => break,
            "{" if depth == 0 && begin.is_none() => (begin, depth) = (Some(i), 1),
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if begin.is_some() && depth == 0 {
            break;
        }
        // The closing parenthesis of the parameters, at which this begins.
        depth = depth.max(0);
        i += 1;
    }
    let lines = begin.map_or(0, |begin| (code.lines[i.min(words.len() - 1)] - code.lines[begin]).saturating_sub(1));
    Some(Function { name: &words[at + 1], parameters, lines })
}
