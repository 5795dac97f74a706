//! The bearer token.

use std::{fs, path::Path};

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    ServeError,
    fault::{Fault, Kind},
};

/// Characters that a token has at least: 16 hex digits are 64 bits.
const SHORTEST: usize = 16;

/// A token that requests must name. Its digest, so that comparing takes as long for every length.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads it from a file, without the white space around it.
    ///
    /// # Errors
    /// If the file cannot be read, or has no token.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let refused = |what: String| ServeError::Token { path: path.into(), what };
        let text = fs::read_to_string(path).map_err(|e| refused(crate::format::io(&e).to_string()))?;
        Self::of(text.trim()).map_err(refused)
    }

    fn of(token: &str) -> Result<Self, String> {
        if token.chars().count() < SHORTEST {
            return Err(format!(
                "the token has fewer than {SHORTEST} characters and can be guessed; `openssl rand -hex 32` prints a good one"
            ));
        }
        match token.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(Self(digest(token.as_bytes()))),
            false => Err("the token contains characters other than visible ASCII, which a header cannot hold".into()),
        }
    }

    /// Lets in a request with `Authorization: Bearer TOKEN`.
    ///
    /// # Errors
    /// If it has none, or another.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let value = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let Some(value) = value else {
            return Err(Fault::new(
                Kind::Token,
                "this server requires a token: send the header `Authorization: Bearer TOKEN`",
            ));
        };
        let token = value.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        match token.is_some_and(|(_, token)| bool::from(digest(token.trim_ascii()).ct_eq(&self.0))) {
            true => Ok(()),
            false => Err(Fault::new(Kind::Token, "the token in the header `Authorization` is wrong")),
        }
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(token: &Token, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        token.check(&headers).is_ok()
    }

    #[test]
    fn only_the_token_is_let_in() {
        let token = Token::of("0123456789abcdef").unwrap();
        for value in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef", "Bearer  0123456789abcdef "] {
            assert!(lets_in(&token, value), "{value}");
        }
        for value in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer",
            "Bearer ",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!lets_in(&token, value), "{value}");
        }
        assert!(token.check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_token_that_can_be_guessed_or_not_be_sent_is_refused() {
        for token in ["", "0123456789abcde", "0123456789abcde é", "0123456789 abcdef"] {
            assert!(Token::of(token).is_err(), "{token}");
        }
    }
}
