//! What surrounds the sections of a page: its style, its script, and the policy that forbids all others.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::language::is_chinese;

const STYLE: &str = include_str!("../../templates/page/style.css");
const SCRIPT: &str = include_str!("../../templates/page/script.js");
/// The part of the script that refreshes a page while runs are trained.
const LIVE: &str = include_str!("../../templates/page/live.js");

/// What a Chinese page adds: its words have no spaces, so that a narrow column would break them anywhere.
const CHINESE_STYLE: &str = "td:is(.pending,.running,.waiting,.interrupted,.completed,.pruned,.failed){white-space:nowrap}th{min-width:3.2em}\n";

/// The style sheet of the page's language.
fn style() -> Cow<'static, str> {
    match is_chinese() {
        false => STYLE.into(),
        true => format!("{STYLE}{CHINESE_STYLE}").into(),
    }
}

/// Where the script names the language by which texts are sorted.
const SORTED_BY: &str = "new Intl.Collator(\"en\"";

/// The script, which sorts in the language of the page.
fn script() -> Cow<'static, str> {
    match is_chinese() {
        false => SCRIPT.into(),
        true => SCRIPT.replacen(SORTED_BY, "new Intl.Collator(\"zh-CN\"", 1).into(),
    }
}

/// What the script of a live page says, in English and Chinese.
const SAYS: [(&str, &str); 3] = [
    ("The runs are still being trained. This page is refreshed as they are.", "运行仍在训练，本页会随之刷新。"),
    ("The training has ended, but the last page could not be loaded.", "训练已结束，但最后的页面未能加载。"),
    ("The server does not answer: this page is not refreshed.", "服务器没有响应：本页不再刷新。"),
];

/// That script in the language of the page.
fn live() -> Cow<'static, str> {
    match is_chinese() {
        false => LIVE.into(),
        true => SAYS.iter().fold(LIVE.to_owned(), |script, (english, chinese)| script.replace(english, chinese)).into(),
    }
}

/// The frame of a page.
pub struct Frame {
    /// Content-Security-Policy: nothing may be loaded, and only this style and this script apply, whatever the texts of the page are.
    pub policy: String,
    /// Its style sheet.
    pub style: Cow<'static, str>,
    /// Its script.
    pub script: String,
    /// Whether a server refreshes the page.
    pub live: bool,
}

impl Frame {
    /// The frame of a page in a file.
    pub fn of_file() -> Self {
        Self::new(script().into_owned(), false)
    }

    /// The frame of a page that a server refreshes. It may ask its server, and no other, for the next version.
    pub fn of_server() -> Self {
        Self::new(format!("{}{}", script(), live()), true)
    }

    fn new(script: String, live: bool) -> Self {
        let style = style();
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'{}",
            hash(&style),
            hash(&script),
            // A browser asks a server for an icon, unless the page names one.
            if live { "; connect-src 'self'; img-src data:" } else { "" }
        );
        Self { policy, style, script, live }
    }
}

/// The hash by which a policy names a text.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// The page with a list of contents: a link to each `<h2 id="…">`, with its `data-contents` if it has one. Texts of the user cannot be taken for one, because they are escaped. With fewer
/// than two headings there is no list.
pub fn with_contents(page: &str) -> String {
    const LIST: &str = "<ul></ul>";
    let (Some(begin), Some(end)) = (page.find("<nav "), page.find("</nav>")) else { return page.into() };
    let headings = page.split("<h2 id=\"").skip(1).filter_map(|rest| {
        let (id, rest) = rest.split_once('"')?;
        let (heading, _) = rest.split_once("</h2>")?;
        let (attributes, heading) = heading.split_once('>')?;
        let short = attributes.split_once("data-contents=\"").and_then(|(_, rest)| rest.split_once('"'));
        Some((id, short.map_or_else(|| without_tags(heading), |(short, _)| short.into())))
    });
    let links: Vec<String> = headings.map(|(id, text)| format!("<li><a href=\"#{id}\">{text}</a></li>")).collect();
    let nav = &page[begin..end];
    let (nav, rest) = match links.len() {
        0 | 1 => (String::new(), &page[end + "</nav>".len()..]),
        _ => (nav.replacen(LIST, &format!("<ul>\n{}\n</ul>", links.join("\n")), 1), &page[end..]),
    };
    format!("{}{nav}{rest}", &page[..begin])
}

fn without_tags(html: &str) -> String {
    html.split('<')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once('>').map_or("", |p| p.1) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Language;

    #[test]
    fn the_policy_names_exactly_the_style_and_the_script() {
        // As in the example of Content Security Policy Level 2, section 4.2.5: the SHA-256 of `alert('Hello, world.');`.
        assert_eq!(hash("alert('Hello, world.');"), "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
        let (file, server) = (Frame::of_file(), Frame::of_server());
        assert!(file.policy.starts_with("default-src 'none'; ") && !file.policy.contains("connect-src"));
        assert!(server.policy.contains("connect-src 'self'") && server.policy.contains(&hash(&server.script)));
        for text in [&*file.style, server.script.as_str()] {
            assert!(!text.contains("</"), "it would end the element that it is in");
        }
    }

    /// Every text that the script shows is translated: it assigns texts to `textContent` or returns them, and each has a space.
    #[test]
    fn the_script_speaks_the_language_of_the_page() {
        let quoted = |script: &str| -> Vec<String> {
            let code =
                script.lines().map(|line| line.split("// ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
            let texts = code.split('"').skip(1).step_by(2).filter(|text| text.trim().contains(' '));
            texts.map(String::from).collect()
        };
        let said: Vec<&str> = SAYS.iter().map(|(english, _)| *english).collect();
        let spoken: Vec<String> = quoted(LIVE).into_iter().filter(|text| text.ends_with('.')).collect();
        assert_eq!(spoken.iter().collect::<std::collections::BTreeSet<_>>().len(), said.len(), "{spoken:?}");
        assert!(spoken.iter().all(|text| said.contains(&text.as_str())), "{spoken:?}");
        assert_eq!(SCRIPT.matches(SORTED_BY).count(), 1);
        let (file, server) = Language::Chinese.during(|| (Frame::of_file(), Frame::of_server()));
        assert!(file.script.contains("Collator(\"zh-CN\"") && file.policy.contains(&hash(&file.script)));
        assert!(
            SAYS.iter().all(|(english, chinese)| server.script.contains(chinese) && !server.script.contains(english))
        );
    }

    #[test]
    fn a_long_heading_has_a_short_name_in_the_contents() {
        let page = "<nav ><ul></ul></nav><h2 id=\"a\" data-contents=\"A\">A of all</h2><h2 id=\"b\">B</h2>";
        assert!(with_contents(page).contains("<li><a href=\"#a\">A</a></li>"));
    }

    #[test]
    fn contents_link_to_the_headings() {
        let page = "<nav id=\"contents\"><ul></ul></nav><h2 id=\"a\">A <span class=\"w\">b&#60;c</span></h2><h2 id=\"d\">D</h2>";
        let list = "<ul>\n<li><a href=\"#a\">A b&#60;c</a></li>\n<li><a href=\"#d\">D</a></li>\n</ul>";
        assert_eq!(with_contents(page), page.replace("<ul></ul>", list));
        assert_eq!(with_contents("<nav ><ul></ul></nav><h2 id=\"a\">A</h2>"), "<h2 id=\"a\">A</h2>");
    }
}
