//! JSON Lines, and arrays of objects.

use super::{NONE, Variant, WHOLE, variant, with_line};

pub(super) const LINES: &str = r#"{"label": 1, "review": "味道很好"}
{"label": 0, "review": "送得太慢"}
{"label": 1, "review": "下次还来"}
{"label": 0, "review": "汤都凉了"}
"#;

pub(super) const ARRAY: &str = r#"[
  {"label": 1, "review": "味道很好"},
  {"label": 0, "review": "送得太慢"},
  {"label": 1, "review": "下次还来"},
  {"label": 0, "review": "汤都凉了"}
]
"#;

pub(super) fn variants() -> Vec<Variant> {
    [syntax(), values(), fields(), arrays()].into_iter().flatten().collect()
}

/// The objects with another line, from 1.
fn lines(line: usize, text: &str) -> String {
    with_line(LINES, line, text)
}

fn syntax() -> Vec<Variant> {
    let cut = &LINES[..LINES.len() - 6];
    let invalid = LINES.as_bytes().iter().copied().filter(|byte| *byte != 0x97).collect::<Vec<u8>>(); // of 得: E5 BE 97
    vec![
        variant(
            "no comma",
            "a.jsonl",
            lines(2, r#"{"label": 0 "review": "慢"}"#),
            (2, "column 13"),
            "expected `,` or `}`",
        ),
        variant(
            "single quotes",
            "a.jsonl",
            lines(3, "{'label': 1, 'review': '来'}"),
            (3, "column 2"),
            "write the file with json.dumps",
        ),
        variant(
            "None",
            "a.jsonl",
            lines(3, r#"{"label": None, "review": "来"}"#),
            (3, "column 11"),
            "`None` is Python; JSON has null",
        ),
        variant(
            "NaN",
            "a.jsonl",
            lines(3, r#"{"label": NaN, "review": "来"}"#),
            (3, "column 11:"),
            "`NaN` is not valid JSON",
        ),
        variant("comment", "a.jsonl", lines(1, "// reviews"), (1, "column 1"), "a comment, which JSON does not have"),
        variant(
            "comma before the brace",
            "a.jsonl",
            lines(4, r#"{"label": 0, "review": "凉",}"#),
            (4, "column 28"),
            "remove the comma",
        ),
        variant(
            "comma after the object",
            "a.jsonl",
            lines(2, r#"{"label": 0, "review": "慢"},"#),
            (2, "column 28"),
            "a comma after the object",
        ),
        variant(
            "two objects",
            "a.jsonl",
            lines(2, r#"{"label": 0, "review": "慢"} {}"#),
            (2, "column 29"),
            "a second object begins here",
        ),
        variant("object cut", "a.jsonl", cut, (4, "column 27"), "the object does not end on this line"),
        variant(
            "half a character",
            "a.jsonl",
            lines(2, r#"{"label": 0, "review": "\ud83d"}"#),
            (2, "column 31:"),
            "(a lone surrogate)",
        ),
        variant("invalid bytes", "a.jsonl", invalid, (2, "offset 27"), "not UTF-8"),
        variant(
            "an array in a line",
            "a.jsonl",
            lines(3, r#"[1, "下次还来"]"#),
            (3, NONE),
            "an array, expected an object",
        ),
        variant("a number in a line", "a.jsonl", lines(3, "7"), (3, NONE), "expected a JSON object"),
    ]
}

fn values() -> Vec<Variant> {
    let text = |value: &str| lines(2, &format!(r#"{{"label": 0, "review": {value}}}"#));
    let label = |value: &str| lines(3, &format!(r#"{{"label": {value}, "review": "下次还来"}}"#));
    vec![
        variant("number for a text", "a.jsonl", text("3"), (2, "`review`"), "is the number 3, expected a string"),
        variant(
            "boolean for a text",
            "a.jsonl",
            text("true"),
            (2, "`review`"),
            "is the boolean true, expected a string",
        ),
        variant("list for a text", "a.jsonl", text("[\"慢\"]"), (2, "`review`"), "is an array, expected a string"),
        variant("object for a text", "a.jsonl", text("{\"a\": 1}"), (2, "`review`"), "is an object, expected a string"),
        variant(
            "list for a label",
            "a.jsonl",
            label("[0]"),
            (3, "`label`"),
            "is an array, expected a string, a number",
        ),
        variant(
            "object for a label",
            "a.jsonl",
            label("{}"),
            (3, "`label`"),
            "is an object, expected a string, a number",
        ),
        variant(
            "number too large for a label",
            "a.jsonl",
            label("1e300"),
            (3, "`label`"),
            "too large to be represented exactly",
        ),
        variant("unknown label of JSON", "a.jsonl", label("true"), (3, "`label`"), "label `true` ").labelled(),
        variant(
            "null for every text",
            "a.jsonl",
            "{\"label\": 1, \"review\": null}\n",
            (WHOLE, "`review`"),
            "1 without a text",
        ),
    ]
}

fn fields() -> Vec<Variant> {
    let renamed = |from: &str, to: &str| LINES.replace(from, to);
    let twice = r#"{"label": 0, "review": "慢", "review": "送得太慢"}"#;
    let two_labels = r#"{"label": 0, "review": "慢", "label": 1}"#;
    let without = lines(2, r#"{"label": 0, "text": "送得太慢"}"#);
    vec![
        variant(
            "no object has the text",
            "a.jsonl",
            renamed("review", "text"),
            (WHOLE, "`review`"),
            "columns found: label, text",
        ),
        variant(
            "no object has the label",
            "a.jsonl",
            renamed("label", "y"),
            (WHOLE, "`label`"),
            "no object has a field",
        ),
        variant("a text twice", "a.jsonl", lines(2, twice), (2, "`review`"), "more than one field"),
        variant("a label twice", "a.jsonl", lines(4, two_labels), (4, "`label`"), "more than one field"),
        Variant {
            predict: true,
            ..variant("an object without the text", "a.jsonl", without, (2, "`review`"), "fields found: label, text")
        },
        variant(
            "objects in an object",
            "a.json",
            r#"{"data": [{"label": 1, "review": "好"}]}"#,
            (WHOLE, "`review`"),
            "columns found: data",
        ),
    ]
}

fn arrays() -> Vec<Variant> {
    let array = |line, text: &str| with_line(ARRAY, line, text);
    vec![
        variant(
            "array not closed",
            "a.json",
            ARRAY.strip_suffix("]\n").unwrap(),
            (6, "column 1"),
            "unexpected end of file",
        ),
        variant(
            "object of an array cut",
            "a.json",
            &ARRAY[..ARRAY.len() - 8],
            (5, "column 3"),
            "the file ends within the object",
        ),
        variant(
            "no comma between objects",
            "a.json",
            ARRAY.replacen("},", "}", 1),
            (3, "column 3"),
            "expected a comma or the `]`",
        ),
        variant(
            "comma at the end of an array",
            "a.json",
            ARRAY.replace("}\n]", "},\n]"),
            (6, "column 1"),
            "remove the comma",
        ),
        variant(
            "array of arrays",
            "a.json",
            "[\n  [1, \"好\"]\n]\n",
            (2, "column 3"),
            "expected an object of the array",
        ),
        variant(
            "more after the array",
            "a.json",
            format!("{ARRAY}[]"),
            (7, "column 1"),
            "expected the end of the file",
        ),
        variant("empty array", "a.json", "[]\n", (WHOLE, NONE), "no usable rows: 0 read"),
        variant(
            "no comma in an object of an array",
            "a.json",
            array(3, r#"  {"label": 0 "review": "慢"},"#),
            (3, "column 15"),
            "expected `,` or `}`",
        ),
        variant(
            "wrong value in an array",
            "a.json",
            array(4, r#"  {"label": 1, "review": 4},"#),
            (4, "`review`"),
            "is the number 4",
        ),
        variant(
            "a text twice in an array",
            "a.json",
            array(4, r#"  {"review": "", "review": "来", "label": 1},"#),
            (4, "`review`"),
            "more than one field",
        ),
    ]
}
