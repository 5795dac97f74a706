//! The pages for people: one file each, which loads nothing.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::openapi;

const HOME: &str = include_str!("../../templates/serve/home.html");

/// What the page may do: run its own script, and ask this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let script = HOME.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
    let digest = BASE64_STANDARD.encode(Sha256::digest(script.map_or("", |(script, _)| script)));
    format!("{ALL}; script-src 'sha256-{digest}'; connect-src 'self'")
});

const ALL: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn page(html: impl Into<String>, policy: &str) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html.into())).into_response()
}

/// The page on which a person tries a model.
pub fn home() -> Response {
    page(HOME, &POLICY)
}

/// The page that says what the server takes and answers.
pub fn docs() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        // It has no input that could make it fail.
        Docs::of(openapi::document()).render().expect("a page")
    });
    page(PAGE.as_str(), ALL)
}

#[derive(Template)]
#[template(path = "serve/docs.html")]
struct Docs {
    version: String,
    about: String,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    path: String,
    summary: String,
    description: String,
    /// Examples of the body: a name and JSON.
    requests: Vec<(String, String)>,
    /// Status, what it means, and an example if there is one.
    answers: Vec<(String, String, Option<String>)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The examples of a media type, by their summaries.
fn examples(content: &Value) -> Vec<(String, String)> {
    let media = content.as_object().and_then(|content| content.values().next());
    let Some(media) = media else { return Vec::new() };
    let shown = |value: &Value| value.as_str().map_or_else(|| json(value), str::to_owned);
    match (&media["example"], media["examples"].as_object()) {
        (_, Some(examples)) => {
            examples.values().map(|example| (text(&example["summary"]), shown(&example["value"]))).collect()
        }
        (Value::Null, None) => Vec::new(),
        (example, None) => vec![(String::new(), shown(example))],
    }
}

impl Docs {
    fn of(document: &Value) -> Self {
        let operation = |path: &str, method: &str, operation: &Value| Operation {
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            description: text(&operation["description"]),
            requests: examples(&operation["requestBody"]["content"]),
            answers: (operation["responses"].as_object().into_iter().flatten())
                .map(|(status, answer)| {
                    // Faults have one shape, which is described once.
                    let answer = answer["$ref"]
                        .as_str()
                        .and_then(|at| document.pointer(at.trim_start_matches('#')))
                        .unwrap_or(answer);
                    let example = examples(&answer["content"]).into_iter().next().map(|(_, example)| example);
                    (status.clone(), text(&answer["description"]), example)
                })
                .collect(),
        };
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, methods)| {
            methods
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| *name != "parameters")
                .map(move |(method, value)| (path, method, value))
        });
        Self {
            version: text(&document["info"]["version"]),
            about: text(&document["info"]["description"]),
            operations: operations.map(|(path, method, value)| operation(path, method, value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_load_nothing_and_say_what_they_may_do() {
        let docs = Docs::of(openapi::document()).render().unwrap();
        for page in [HOME, &docs] {
            for foreign in ["src=", "http://", "https://", "@import", "url(", "onclick", "innerHTML"] {
                assert!(!page.contains(foreign), "{foreign}");
            }
        }
        assert!(POLICY.contains("script-src 'sha256-") && HOME.matches("<script>").count() == 1);
        assert!(docs.contains("/v1/classify") && docs.contains("Retry-After"));
    }
}
