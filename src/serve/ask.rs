//! From the texts of a request to their answers.

use std::{sync::Arc, time::Duration};

use super::{
    Limits,
    fault::{Fault, Kind},
    models::{Model, Version},
    queue::{Refused, Text},
    wire::Asked,
    worker::{Said, tokens},
};
use crate::{
    data::{Encoded, RowText, is_blank},
    execute::TextReader,
    format::{count, counted},
};

/// Bytes of texts from which on they are tokenised on another thread than those that talk to clients.
const LONG: usize = 4096;

/// What a model says of the texts of a request.
pub struct Answered {
    /// The version that says it.
    pub version: Arc<Version>,
    /// The answer for each text.
    pub texts: Vec<OfText>,
}

/// What a model says of a text.
pub struct OfText {
    /// The answer.
    pub said: Said,
    /// Tokens that were read.
    pub tokens: usize,
    /// Whether it was cut.
    pub cut: bool,
}

/// Asks a model about texts.
///
/// # Errors
/// If they are too many or too long, the model does not read such texts, too much waits already, or the answer takes too long.
pub async fn ask(model: &Model, texts: Vec<Asked>, truncate: Option<bool>, limits: &Limits) -> Result<Answered, Fault> {
    check(&texts, model.origin.pairs, limits)?;
    let truncate = truncate.unwrap_or(limits.auto_truncate);
    let texts = Arc::new(texts);
    let late = || {
        let seconds = limits.answer.as_secs_f64();
        let wait = model.meters.time_for(model.current().queue.load().tokens);
        Fault::new(Kind::Late, format!("no answer within {seconds} seconds: the server is overloaded; try again later"))
            .retry_after(wait)
    };
    tokio::time::timeout(limits.answer, asked(model, &texts, truncate, limits)).await.unwrap_or_else(|_| Err(late()))
}

async fn asked(model: &Model, texts: &Arc<Vec<Asked>>, truncate: bool, limits: &Limits) -> Result<Answered, Fault> {
    loop {
        let version = model.current();
        let encoded = encode(texts, &version.facts.reader).await?;
        let most = version.facts.reader.long().max_length;
        if !truncate && let Some(at) = encoded.iter().position(is_cut) {
            return Err(too_long(at, &encoded, most));
        }
        let read: Vec<(usize, bool)> = encoded.iter().map(|text| (tokens(text), is_cut(text))).collect();
        let waiting =
            encoded.into_iter().zip(&read).map(|(value, (tokens, _))| Text { value, tokens: *tokens }).collect();
        let answers = match version.queue.push(waiting) {
            Ok(answers) => answers,
            // It was replaced meanwhile: the next one may have another tokenizer.
            Err(Refused::Closed(_)) if model.is_alive() => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            Err(Refused::Closed(_)) => return Err(gone()),
            Err(Refused::TooLarge { tokens }) => {
                let (tokens, most) = (count(tokens as u64), count(limits.queue_tokens as u64));
                let what = format!(
                    "the texts have {tokens} tokens, more than the {most} that the queue holds: send fewer texts at a time"
                );
                return Err(Fault::new(Kind::TooLarge, what));
            }
            Err(Refused::Full(load)) => {
                let (requests, tokens) =
                    (counted(load.requests as u64, "request"), counted(load.tokens as u64, "token"));
                let what = format!(
                    "the server is overloaded: {requests} with {tokens} in the queue; try again after the seconds in the header Retry-After"
                );
                return Err(Fault::new(Kind::Overloaded, what).retry_after(model.meters.time_for(load.tokens)));
            }
        };
        let said = answers.await.map_err(|_| gone())?;
        let said = said.map_err(|why| Fault::new(Kind::Backend, format!("the model failed: {why}")))?;
        if said.iter().any(|said| !is_finite(said)) {
            return Err(Fault::new(
                Kind::Backend,
                "the model's answer is not a number: its training may have diverged, or its weights are damaged",
            ));
        }
        let texts = said.into_iter().zip(read).map(|(said, (tokens, cut))| OfText { said, tokens, cut }).collect();
        return Ok(Answered { version, texts });
    }
}

fn gone() -> Fault {
    Fault::new(Kind::Unhealthy, "the model has failed and no longer answers; restart the server")
}

/// Refuses what no model need look at.
fn check(texts: &[Asked], pairs: Option<bool>, limits: &Limits) -> Result<(), Fault> {
    if texts.len() > limits.texts {
        let (sent, most) = (counted(texts.len() as u64, "text"), count(limits.texts as u64));
        return Err(Fault::new(Kind::TooLarge, format!("{sent} are too many: a request may have at most {most}")));
    }
    for (at, Asked { text, text_pair }) in texts.iter().enumerate() {
        let which = which(at, texts.len());
        let both = || std::iter::once(text).chain(text_pair);
        if both().any(|text| is_blank(text)) {
            return Err(Fault::new(Kind::Empty, format!("{which} is empty: there is nothing to classify")));
        }
        if both().any(|text| text.len() > limits.text_chars && text.chars().count() > limits.text_chars) {
            let most = count(limits.text_chars as u64);
            return Err(Fault::new(Kind::TooLarge, format!("{which} has more than {most} characters")));
        }
        match (pairs, text_pair) {
            (Some(true), None) => {
                let what = format!("{which} is one text, but the model reads two together: send a pair");
                return Err(Fault::new(Kind::Unreadable, what));
            }
            (Some(false), Some(_)) => {
                let what =
                    format!("{which} is a pair, but the model reads one text; a list of texts is [[\"…\"], [\"…\"]]");
                return Err(Fault::new(Kind::Unreadable, what));
            }
            _ => {}
        }
    }
    Ok(())
}

fn which(at: usize, texts: usize) -> String {
    if texts == 1 { "the text".into() } else { format!("text {}", at + 1) }
}

fn too_long(at: usize, encoded: &[Encoded], most: usize) -> Fault {
    let text = &encoded[at];
    let (which, or_more) = (which(at, encoded.len()), if text.or_more { "more than " } else { "" });
    let (whole, most) = (counted(text.whole as u64, "token"), count(most as u64));
    let what = format!("{which} has {or_more}{whole}, and the model reads {most}: with \"truncate\": true it is cut");
    Fault::new(Kind::TooLarge, what)
}

fn is_cut(text: &Encoded) -> bool {
    text.whole > text.ids.len()
}

fn is_finite(said: &Said) -> bool {
    let Said { answer, logits } = said;
    let numbers = answer.predicted().numbers();
    let all = || logits.iter().chain(answer.probabilities());
    all().all(|number| number.is_finite()) && numbers.iter().all(|number| (*number as f32).is_finite())
}

async fn encode(texts: &Arc<Vec<Asked>>, reader: &TextReader) -> Result<Vec<Encoded>, Fault> {
    let bytes: usize = texts.iter().map(|text| text.text.len() + text.text_pair.as_ref().map_or(0, String::len)).sum();
    if bytes < LONG {
        return encode_now(texts, reader);
    }
    let (texts, reader) = (texts.clone(), reader.clone());
    let encoded = tokio::task::spawn_blocking(move || encode_now(&texts, &reader)).await;
    encoded.unwrap_or_else(|_| Err(Fault::new(Kind::Unreadable, "the tokenizer failed")))
}

fn encode_now(texts: &[Asked], reader: &TextReader) -> Result<Vec<Encoded>, Fault> {
    let encode = |(at, Asked { text, text_pair }): (usize, &Asked)| {
        let read = reader.encode(RowText { text, text_pair: text_pair.as_deref() });
        read.map_err(|error| Fault::new(Kind::Unreadable, format!("{}: {error}", which(at, texts.len()))))
    };
    texts.iter().enumerate().map(encode).collect()
}
