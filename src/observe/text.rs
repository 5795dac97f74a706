//! Texts measured in terminal columns: a Chinese character has two.

use console::measure_text_width;

/// The text, padded with spaces at its end to `width` columns.
pub(super) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", space(text, width))
}

/// The text, padded with spaces at its beginning to `width` columns.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", space(text, width))
}

fn space(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(measure_text_width(text)))
}

/// The text, cut to `width` columns with an ellipsis if needed.
pub(super) fn cut(text: &str, width: usize) -> String {
    if width == 0 { String::new() } else { console::truncate_str(text, width, "…").into_owned() }
}

/// Like [`cut`], in whole words, so that no number loses a digit. A first word that is too long is cut.
pub(super) fn cut_words(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.into();
    }
    let room = width.saturating_sub(2);
    let ends = text.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at);
    match ends.take_while(|&at| measure_text_width(&text[..at]) <= room).last() {
        Some(at) if at > 0 => format!("{} …", &text[..at]),
        _ => cut(text, width),
    }
}

/// The end of the text in `width` columns, since names of runs differ at their end. It begins with a whole word if one
/// fits.
pub(super) fn cut_start(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.into();
    }
    let room = width.saturating_sub(2);
    let words = text.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at + 1);
    if let Some(at) = words.into_iter().find(|&at| measure_text_width(&text[at..]) <= room) {
        return format!("… {}", &text[at..]);
    }
    let mut begin = text.len();
    let mut taken = 0;
    for (at, c) in text.char_indices().rev() {
        taken += measure_text_width(c.encode_utf8(&mut [0; 4]));
        if taken + 1 > width {
            break;
        }
        begin = at;
    }
    if width == 0 { String::new() } else { format!("…{}", &text[begin..]) }
}

/// Spaces before the later lines of a text.
const INDENT: usize = 2;

/// What follows `taper` in a command. In a sentence it is another word, as in "taper uses".
const SUBCOMMANDS: [&str; 22] = [
    "plan",
    "run",
    "fetch",
    "list",
    "show",
    "compare",
    "report",
    "predict",
    "eval",
    "export",
    "push",
    "serve",
    "submit",
    "logs",
    "cancel",
    "collect",
    "verify",
    "rm",
    "gc",
    "doctor",
    "completions",
    "help",
];

/// Whether a text begins with a subcommand, after spaces.
fn is_subcommand(after_taper: &str) -> bool {
    after_taper.split_ascii_whitespace().next().is_some_and(|word| SUBCOMMANDS.contains(&word))
}

/// The words of a text, each with the space after it. A command to be pasted is one of them: `taper list` in backticks, or what follows a
/// colon at the end of the text.
fn words_of(text: &str) -> Vec<&str> {
    let (mut words, mut rest): (Vec<&str>, &str) = (Vec::new(), text);
    while !rest.is_empty() {
        let first = rest.split(' ').next().unwrap_or_default();
        let after_colon = words.last().is_some_and(|before: &&str| before.trim_end().ends_with(':'));
        let command = match first.ends_with("`taper") {
            true => rest[first.len()..].find('`').map_or(0, |at| first.len() + at),
            false if first == "taper" && after_colon && is_subcommand(&rest[first.len()..]) => rest.len(),
            false => 0,
        };
        let end = rest[command..].find(' ').map_or(rest.len(), |at| command + at + 1);
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
    words
}

/// Whether a word of [`words_of`] is a command, which is never broken.
fn is_command(word: &str) -> bool {
    word.trim_end().contains(' ')
}

/// Wraps text to lines of `width` columns between words; later lines are indented by two spaces. A word wider than a line, such as
/// a Chinese sentence, is broken between characters; a command wider than a line is whole on one of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_below(text, width, INDENT)
}

/// The same with later lines indented by `indent` spaces, as below the value of a line with a label, if a third of the line is left.
pub fn wrap_below(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = if 3 * indent <= 2 * width { " ".repeat(indent) } else { " ".repeat(INDENT) };
    if measure_text_width(text) <= width || width < 8 {
        return vec![text.to_string()];
    }
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words_of(text) {
        let mut word = word.to_string();
        loop {
            // A second space at the end of a line would indent the next one.
            if word == " " && !lines.is_empty() && line.trim().is_empty() {
                break;
            }
            if measure_text_width(&line) + measure_text_width(word.trim_end()) <= width {
                line += &word;
                break;
            }
            if is_command(&word) {
                if !line.trim().is_empty() {
                    lines.push(std::mem::replace(&mut line, indent.clone()).trim_end().to_string());
                }
                line += &word;
                break;
            }
            let free = width.saturating_sub(measure_text_width(&line));
            let too_long = measure_text_width(word.trim_end()) > width - indent.len();
            if line.trim().is_empty() || too_long && free >= 8 {
                let head = console::truncate_str(&word, free, "").into_owned();
                word = word[head.len()..].to_string();
                line += &head;
            }
            lines.push(std::mem::replace(&mut line, indent.clone()).trim_end().to_string());
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_string());
    }
    lines
}

/// Wraps a text of fields, which two spaces separate, between fields. A field wider than a line is broken as by [`wrap`].
pub(super) fn wrap_fields(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for field in text.split("  ").filter(|field| !field.is_empty()) {
        let with = lines.last().map(|line| format!("{line}  {field}"));
        match (with.filter(|with| measure_text_width(with) <= width), lines.last_mut()) {
            (Some(with), Some(line)) => *line = with,
            (_, None) => lines.extend(wrap(field, width)),
            (None, Some(_)) => lines.extend(wrap(&format!("  {field}"), width)),
        }
    }
    lines
}

/// Wraps a message of several lines to `width` columns, only between words: a path or command wider than a line stays whole.
/// Continuation lines are indented by two more than the line they continue. Lines of a quoted file (`12 | key = value`, and the
/// carets below) stay as they are.
pub fn wrap_words(message: &str, width: usize) -> Vec<String> {
    message.split('\n').flat_map(|line| if is_quoted(line) { vec![line.into()] } else { words(line, width) }).collect()
}

/// Whether a line quotes a file: `12 | text`, or `   | ^^^^`.
fn is_quoted(line: &str) -> bool {
    line.split_once('|').is_some_and(|(before, _)| before.chars().all(|c| c == ' ' || c.is_ascii_digit()))
}

fn words(text: &str, width: usize) -> Vec<String> {
    let indent = text.len() - text.trim_start_matches(' ').len() + 2;
    if measure_text_width(text) <= width || width < indent + 8 {
        return vec![text.to_string()];
    }
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words_of(text) {
        let wide = measure_text_width(&line) + measure_text_width(word.trim_end()) > width;
        if wide && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)).trim_end().to_string());
        }
        line += word;
    }
    lines.push(line.trim_end().to_string());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wrap_between_words_but_quoted_lines_and_paths_do_not() {
        let said = "error: spec.toml:25:1: unknown key `train.batchsize`\n   |\n25 | batchsize = 16 # as many as there is room for\n   | \
                    ^^^^^^^^^\n   = did you mean `train.batch_size`?\n\n2 problems";
        let want = "error: spec.toml:25:1:\n  unknown key\n  `train.batchsize`\n   |\n25 | batchsize = 16 # as many as there is room for\n   | \
                    ^^^^^^^^^\n   = did you mean\n     `train.batch_size`?\n\n2 problems";
        assert_eq!(wrap_words(said, 24).join("\n"), want);
        assert_eq!(wrap_words(said, 200).join("\n"), said);
        let path = "/a/very/long/path/without/any/space/in/it.csv:";
        assert_eq!(
            wrap_words(&format!("error: {path} no column"), 20),
            ["error:", &format!("  {path}"), "  no column"]
        );
        assert_eq!(wrap_words("送餐很慢 味道也不好 下次不点", 20), ["送餐很慢 味道也不好", "  下次不点"]);
        assert_eq!(wrap_words("a | b and so on and on", 10), ["a | b and", "  so on", "  and on"], "no quoted line");
    }

    #[test]
    fn a_command_is_never_broken() {
        let said = "warning: it has only rank 1 (`taper list divs --leaderboard` shows all its trials)";
        let want = ["warning: it has only rank 1", "  (`taper list divs --leaderboard` shows", "  all its trials)"];
        assert_eq!(
            (wrap(said, 40), wrap_words(said, 40)),
            (want.map(String::from).into(), want.map(String::from).into())
        );
        // It is longer than a line.
        let want =
            ["warning: it has only rank", "  1", "  (`taper list divs --leaderboard`", "  shows all its trials)"];
        assert_eq!(wrap(said, 25), want);
        let page = "as an HTML page: taper compare 'w12#1' 'w12#2' --html compare.html";
        let command = "  taper compare 'w12#1' 'w12#2' --html compare.html";
        for width in [30, 55] {
            assert_eq!([wrap(page, width), wrap_words(page, width)], [["as an HTML page:", command]; 2], "{width}");
        }
        assert_eq!(wrap(page, 80), [page]);
        // Quoted labels are texts, and a backtick alone begins nothing.
        assert_eq!(wrap("always predicting `no taper` here", 22), ["always predicting `no", "  taper` here"]);
        // A sentence after a colon is no command.
        let sentence = "they differ: taper uses tokenizer.json and not the other file";
        assert_eq!(wrap(sentence, 30), ["they differ: taper uses", "  tokenizer.json and not the", "  other file"]);
        assert_eq!(wrap("a lone `taper is a word here", 16), ["a lone `taper is", "  a word here"]);
    }

    #[test]
    fn fields_are_not_broken_and_a_value_is_continued_below_itself() {
        let fields = |width| wrap_fields("3 of 12 runs done, 9 left  this command 5.3s  eta ~12s", width);
        assert_eq!(fields(40), ["3 of 12 runs done, 9 left", "  this command 5.3s  eta ~12s"]);
        assert_eq!(fields(60), ["3 of 12 runs done, 9 left  this command 5.3s  eta ~12s"]);
        assert_eq!(fields(28), ["3 of 12 runs done, 9 left", "  this command 5.3s", "  eta ~12s"]);
        assert_eq!(fields(20), ["3 of 12 runs done, 9", "  left", "  this command 5.3s", "  eta ~12s"]);
        assert_eq!(
            wrap_below("labels    negative 50.0%, positive", 22, 10),
            ["labels    negative", "          50.0%,", "          positive"]
        );
        assert_eq!(wrap_below("labels    a long one", 12, 10), ["labels    a", "  long one"], "too narrow");
    }

    #[test]
    fn names_keep_their_end() {
        assert_eq!(cut_start("lr=1e-5 seed=1", 20), "lr=1e-5 seed=1");
        assert_eq!(cut_start("max_length=64 lr=1e-5 seed=12", 18), "… lr=1e-5 seed=12");
        assert_eq!(cut_start("max_length=64 lr=1e-5 seed=12", 10), "… seed=12");
        assert_eq!(cut_start("这家饭店真贴心", 6), "…贴心");
        assert_eq!([cut_start("abc", 0), cut_start("abc", 1), cut_start("abc", 2)], ["", "…", "…c"]);
    }

    #[test]
    fn sentences_lose_whole_words() {
        assert_eq!(cut_words("worse than 0.9123, the median", 20), "worse than 0.9123, …");
        assert_eq!(cut_words("worse than 0.9123, the median", 19), "worse than …");
        assert_eq!(cut_words("worse than 0.9123, the median", 29), "worse than 0.9123, the median");
        assert_eq!(cut_words("送餐很慢 味道也不好", 11), "送餐很慢 …");
        assert_eq!(cut_words("abcdefgh", 4), "abc…");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrap("step 30  epoch 1", 80), ["step 30  epoch 1"]);
        assert_eq!(
            wrap("warning: the labels 0 and 0.0 look alike", 20),
            ["warning: the labels", "  0 and 0.0 look", "  alike"]
        );
        assert_eq!(wrap("3 left  this command 5.3s  eta ~12s", 25), ["3 left  this command 5.3s", "  eta ~12s"]);
        assert_eq!(
            wrap("positive 99.3%: 送餐很快味道不错分量也足", 24),
            ["positive 99.3%: 送餐很快", "  味道不错分量也足"]
        );
        for width in 8..60 {
            let text =
                "lr=3e-5: failed after step 62: 送餐很慢，味道也不好 /a/very/long/path/without/any/space.csv: no";
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{width}: {lines:#?}");
            let plain = |s: &str| s.split_whitespace().collect::<String>();
            assert_eq!(plain(&lines.concat()), plain(text), "nothing is lost");
        }
    }
}
