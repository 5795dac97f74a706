//! The bodies of requests: what is asked of which texts.

use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, Kind};

/// What a model is asked about: a text, or two that it reads together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The text.
    pub text: String,
    /// The second text.
    pub text_pair: Option<String>,
}

/// The texts of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// The texts, in the order of the request.
    pub texts: Vec<Asked>,
    /// Whether it is one text that is not in a list: then its answer is not in a list either.
    pub single: bool,
}

/// The body of `POST /predict`, as text-embeddings-inference reads it.
#[derive(Debug, Deserialize)]
pub struct Predict {
    inputs: Value,
    /// Whether logits are wanted.
    #[serde(default)]
    pub raw_scores: bool,
    /// Whether texts that are too long are cut.
    #[serde(default)]
    pub truncate: Option<bool>,
    #[serde(default)]
    truncation_direction: Option<String>,
    /// The name of a model.
    #[serde(default)]
    pub model: Option<String>,
}

/// The body of `POST /v1/classify`.
#[derive(Debug, Deserialize)]
pub struct Classify {
    input: Value,
    /// Whether texts that are too long are cut.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// The name of a model.
    #[serde(default)]
    pub model: Option<String>,
}

fn shape(message: impl Into<String>) -> Fault {
    Fault::new(Kind::Shape, message)
}

fn nothing(what: &str) -> Fault {
    Fault::new(Kind::Empty, format!("`{what}` is empty: there is nothing to classify"))
}

/// A word for what a JSON value is.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// One text or two from the strings of a list.
fn sequence(strings: Vec<Value>, what: &str) -> Result<Asked, Fault> {
    let strings: Vec<String> = strings
        .into_iter()
        .enumerate()
        .map(|(at, value)| match value {
            Value::String(text) => Ok(text),
            other => Err(shape(format!("`{what}[{at}]` is {}, expected a string", kind(&other)))),
        })
        .collect::<Result<_, _>>()?;
    match <[String; 2]>::try_from(strings) {
        Ok([text, pair]) => Ok(Asked { text, text_pair: Some(pair) }),
        Err(mut strings) if strings.len() == 1 => Ok(Asked { text: strings.remove(0), text_pair: None }),
        Err(strings) if strings.is_empty() => Err(nothing(what)),
        Err(strings) => Err(shape(format!(
            "`{what}` has {} strings, expected one text or a pair of texts; a list of texts is [[\"…\"], [\"…\"], …]",
            strings.len()
        ))),
    }
}

impl Predict {
    /// The texts: `"a"` is one; `["a", "b"]` is a pair; `[["a"], ["b", "c"]]` is a list of a text and a pair.
    ///
    /// # Errors
    /// If they are written otherwise, or there are none.
    pub fn take_inputs(&mut self) -> Result<Inputs, Fault> {
        if self.truncation_direction.as_deref().is_some_and(|side| !side.eq_ignore_ascii_case("right")) {
            return Err(shape(
                "`truncation_direction` can only be \"Right\": texts are cut as they were in training, on the side that the tokenizer names",
            ));
        }
        match self.inputs.take() {
            Value::String(text) => Ok(Inputs { texts: vec![Asked { text, text_pair: None }], single: true }),
            Value::Array(list) if list.first().is_some_and(Value::is_array) => {
                let texts = list.into_iter().enumerate().map(|(at, value)| match value {
                    Value::Array(strings) => sequence(strings, &format!("inputs[{at}]")),
                    other => Err(shape(format!(
                        "`inputs[{at}]` is {}, expected a list of one text or a pair, as `inputs[0]` is",
                        kind(&other)
                    ))),
                });
                Ok(Inputs { texts: texts.collect::<Result<_, _>>()?, single: false })
            }
            Value::Array(list) => Ok(Inputs { texts: vec![sequence(list, "inputs")?], single: true }),
            other => Err(shape(format!(
                "`inputs` is {}, expected a string, a pair of strings [\"…\", \"…\"], or a list of both [[\"…\"], [\"…\", \"…\"]]",
                kind(&other)
            ))),
        }
    }
}

impl Classify {
    /// The texts: a string or an object `{"text": …, "text_pair": …}`, or a list of these.
    ///
    /// # Errors
    /// If they are written otherwise, or there are none.
    pub fn take_inputs(&mut self) -> Result<Inputs, Fault> {
        match self.input.take() {
            Value::Array(list) if list.is_empty() => Err(nothing("input")),
            Value::Array(list) => {
                let texts = list.into_iter().enumerate().map(|(at, value)| item(value, &format!("input[{at}]")));
                Ok(Inputs { texts: texts.collect::<Result<_, _>>()?, single: false })
            }
            value => Ok(Inputs { texts: vec![item(value, "input")?], single: true }),
        }
    }
}

/// A string or an object with one or two texts.
fn item(value: Value, what: &str) -> Result<Asked, Fault> {
    let mut fields = match value {
        Value::String(text) => return Ok(Asked { text, text_pair: None }),
        Value::Object(fields) => fields,
        other => {
            let is = kind(&other);
            return Err(shape(format!(
                "`{what}` is {is}, expected a string or an object with `text` (and `text_pair`)"
            )));
        }
    };
    let mut string = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(shape(format!("`{what}.{name}` is {}, expected a string", kind(&other)))),
    };
    let (text, text_pair) = (string("text")?, string("text_pair")?);
    match (text, fields.keys().next()) {
        (_, Some(other)) => Err(shape(format!(
            "`{what}` has the field `{}`, expected only `text` and `text_pair`",
            crate::format::bounded(other, 100)
        ))),
        (None, None) => Err(shape(format!("`{what}` has no `text`"))),
        (Some(text), None) => Ok(Asked { text, text_pair }),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Asked {
        Asked { text: text.into(), text_pair: None }
    }

    fn two(text: &str, pair: &str) -> Asked {
        Asked { text: text.into(), text_pair: Some(pair.into()) }
    }

    fn predict(inputs: Value) -> Result<Inputs, u16> {
        let mut body: Predict = serde_json::from_value(json!({ "inputs": inputs })).unwrap();
        body.take_inputs().map_err(|fault| fault.into_response().status().as_u16())
    }

    fn classify(input: Value) -> Result<Inputs, u16> {
        let mut body: Classify = serde_json::from_value(json!({ "input": input })).unwrap();
        body.take_inputs().map_err(|fault| fault.into_response().status().as_u16())
    }

    /// The shapes in the OpenAPI document of text-embeddings-inference (`PredictInput`).
    #[test]
    fn inputs_are_read_as_text_embeddings_inference_reads_them() {
        for (inputs, texts, single) in [
            (json!("a"), vec![one("a")], true),
            (json!(["a"]), vec![one("a")], true),
            (json!(["a", "b"]), vec![two("a", "b")], true),
            (json!([["a"]]), vec![one("a")], false),
            (json!([["a"], ["b"]]), vec![one("a"), one("b")], false),
            (json!([["a", "b"], ["c"]]), vec![two("a", "b"), one("c")], false),
        ] {
            assert_eq!(predict(inputs.clone()), Ok(Inputs { texts, single }), "{inputs}");
        }
        for (inputs, status) in [
            (json!([]), 400),
            (json!([[]]), 400),
            (json!(["a", "b", "c"]), 422),
            (json!(["a", ["b"]]), 422),
            (json!([["a"], "b"]), 422),
            (json!([["a", "b", "c"]]), 422),
            (json!([["a"], [1]]), 422),
            (json!(1), 422),
            (json!(null), 422),
            (json!({ "text": "a" }), 422),
        ] {
            assert_eq!(predict(inputs.clone()), Err(status), "{inputs}");
        }
    }

    #[test]
    fn a_side_to_cut_that_is_not_kept_to_is_refused() {
        for (side, fine) in [("Right", true), ("right", true), ("Left", false)] {
            let mut body: Predict =
                serde_json::from_value(json!({ "inputs": "a", "truncation_direction": side })).unwrap();
            assert_eq!(body.take_inputs().is_ok(), fine, "{side}");
        }
    }

    #[test]
    fn inputs_of_classify_are_texts_or_objects() {
        for (input, texts, single) in [
            (json!("a"), vec![one("a")], true),
            (json!({ "text": "a", "text_pair": "b" }), vec![two("a", "b")], true),
            (json!({ "text": "a", "text_pair": null }), vec![one("a")], true),
            (json!(["a", "b"]), vec![one("a"), one("b")], false),
            (json!([{ "text": "a" }, "b"]), vec![one("a"), one("b")], false),
        ] {
            assert_eq!(classify(input.clone()), Ok(Inputs { texts, single }), "{input}");
        }
        for (input, status) in [
            (json!([]), 400),
            (json!([["a", "b"]]), 422),
            (json!({ "text": 1 }), 422),
            (json!({ "text_pair": "b" }), 422),
            (json!({ "text": "a", "label": "b" }), 422),
            (json!(true), 422),
        ] {
            assert_eq!(classify(input.clone()), Err(status), "{input}");
        }
    }
}
