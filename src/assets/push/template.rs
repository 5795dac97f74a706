//! The card that ModelScope writes into a new repository.

/// How the text of the template begins, and how it ends, in each language that ModelScope writes it in.
const TEXTS: [(&str, &str); 2] = [
    ("### 当前模型的贡献者未提供更加详细的模型介绍。", "及时完善模型卡片内容。</p>"),
    (
        "### You are viewing the default Readme template as no detailed model-card was provided",
        "the model contribution documentation</a>.</p>",
    ),
];

/// The lines of the template that are not empty: a text that somebody has put between them makes more.
const LINES: usize = 18;

/// Whether nobody has written in this card: it is the template as ModelScope writes it, with the licence, framework and task that the form of
/// a new repository asks for. One that only resembles it counts as written by hand.
pub(super) fn is_template(card: &str) -> bool {
    let card = card.replace("\r\n", "\n");
    let Some((above, text)) = card.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) else {
        return false;
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    let is_text =
        |(first, last): &(&str, &str)| text.trim_start().starts_with(first) && text.trim_end().ends_with(last);
    above.lines().all(is_of_form) && lines <= LINES && TEXTS.iter().any(is_text)
}

/// Whether a line above the text is empty, a comment, or an answer of the form.
fn is_of_form(line: &str) -> bool {
    let line = line.trim();
    let is_key = ["frameworks:", "tasks:", "tags: []"].contains(&line) || line.starts_with("license:");
    line.is_empty() || is_key || line.starts_with('#') || line.starts_with("- ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As repositories on modelscope.cn have it that nobody has described.
    const ENGLISH: &str = "---\nframeworks:\n- Pytorch\nlicense: Apache License 2.0\ntags: []\ntasks:\n- other\n\n#language:\n#- cn \n---\n\
        ### You are viewing the default Readme template as no detailed model-card was provided by the model’s contributors.\n\
        #### Model files may be downloaded with ModelScope SDK or through git clone directly.\n\n```\ngit clone x\n```\n\n\
        <p>promptly update the model card content according to <a href=\"x\">the model contribution documentation</a>.</p>";
    const CHINESE: &str = "---\nlicense: mit\n---\n### 当前模型的贡献者未提供更加详细的模型介绍。模型文件和权重，可浏览“模型文件”页面获取。\n\
        #### 您可以通过如下git clone命令，或者ModelScope SDK来下载模型\n\n<p>我们邀请您及时完善模型卡片内容。</p>\n";

    #[test]
    fn only_a_template_that_nobody_has_touched_is_one() {
        assert!(is_template(ENGLISH) && is_template(CHINESE));
        assert!(is_template(&CHINESE.replace('\n', "\r\n")));
        for edited in [
            "---\nlicense: mit\n---\n# mine\n".to_owned(),
            // Text below, above, between, and another key.
            format!("{ENGLISH}\n\nI trained it."),
            CHINESE.replace("### 当前", "# Mine\n### 当前"),
            ENGLISH.replace("\n```\n\n", &format!("\n```\n\n{}", "a line of mine\n".repeat(15))),
            ENGLISH.replace("#language:\n#- cn", "language:\n- en"),
            // One that points to the card in another file.
            ENGLISH.replace("as no detailed model-card was provided", "the detailed [card](x) was provided"),
            CHINESE.replace("---\n", ""),
            String::new(),
        ] {
            assert!(!is_template(&edited), "{edited}");
        }
    }
}
