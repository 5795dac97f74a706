//! The README in Chinese against the one in English: the same headings, commands, tables and links.

use std::{fs, path::Path};

/// What a README has that does not depend on its language.
#[derive(Debug, PartialEq)]
struct Skeleton {
    /// Levels of the headings, in order.
    headings: Vec<usize>,
    /// Lines of code without their comments, in order.
    code: Vec<String>,
    /// Inline code, sorted: names of keys, variables and files.
    inline: Vec<String>,
    /// Targets of links, but for the one to the other language.
    links: Vec<String>,
    /// Numbers in tables, row by row.
    numbers: Vec<Vec<String>>,
    /// Points of lists.
    points: usize,
}

fn skeleton(text: &str) -> Skeleton {
    let (mut headings, mut code, mut inline, mut links, mut numbers) = (vec![], vec![], vec![], vec![], vec![]);
    let mut points = 0;
    let mut prose = String::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
            code.push(line.to_string());
        } else if in_code {
            // A comment is at the beginning, or set off by two spaces; `#` within a text is none.
            let comment = line.starts_with('#').then_some(0).or(line.find("  #"));
            code.push(line[..comment.unwrap_or(line.len())].trim_end().to_string());
        } else {
            if let Some(level) = line.find(' ').filter(|at| line[..*at].chars().all(|c| c == '#') && *at > 0) {
                headings.push(level);
            }
            if line.starts_with('|') {
                let digits = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
                numbers.push(line.split(['|', ' ', ',']).filter(|word| digits(word)).map(String::from).collect());
            }
            points += usize::from(line.starts_with("- "));
            prose += line;
            prose.push('\n');
        }
    }
    inline.extend(prose.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")));
    inline.sort();
    links.extend(prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_string())));
    links.retain(|link| !link.starts_with("README"));
    Skeleton { headings, code, inline, links, numbers, points }
}

#[test]
fn the_chinese_readme_is_in_step() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
    let (own, other) = (skeleton(&english), skeleton(&chinese));
    assert!(own.headings.len() > 8 && own.code.len() > 40 && own.inline.len() > 40, "{own:?}");
    assert_eq!(own.headings, other.headings, "headings");
    assert_eq!(own.code, other.code, "commands and specs");
    assert_eq!(own.inline, other.inline, "names in the text");
    assert_eq!(own.links, other.links, "links");
    assert_eq!(own.numbers, other.numbers, "numbers in tables");
    assert_eq!(own.points, other.points, "points of lists");
    assert!(english.contains("](README.zh-CN.md)") && chinese.contains("](README.md)"), "each names the other");
    // Written in Chinese, not copied.
    let wide = chinese.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
    assert!(wide > 1000, "{wide} Chinese characters");
}

#[test]
fn a_readme_that_is_not_in_step_is_found_out() {
    let text = "# a\n\n- one `x`\n\n```sh\ntaper run x   # it runs\n```\n\n[l](m.md)\n\n| 1 GiB |\n";
    let same = text.replace("it runs", "运行").replace("one", "一");
    assert_eq!(skeleton(text), skeleton(&same));
    for (old, new) in [
        ("# a", "## a"),
        ("run x ", "run y "),
        ("`x`", "`y`"),
        ("m.md", "n.md"),
        ("1 GiB", "2 GiB"),
        ("- one", "one"),
        ("```sh", "```"),
    ] {
        assert_ne!(skeleton(text), skeleton(&text.replace(old, new)), "{old}");
    }
}
