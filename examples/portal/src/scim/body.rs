//! How bodies are read: JSON whose attribute names are compared without case (RFC 7643, section 2.1).

use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use rolecall::error::Quoted;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::ScimError;

/// The attributes of a JSON object, by their names in lower case.
pub(crate) type Attributes = Map<String, Value>;

/// The body of a request: a JSON object.
///
/// 400 if it is not a JSON object, has a name twice, or is nested too deeply. 413 if it is too large. 415 if its content
/// type is another one.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Attributes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ScimError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ScimError> {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(media_type.as_str(), "application/scim+json" | "application/json") {
            let expected = "expected `Content-Type: application/scim+json` or `application/json`";
            return Err(ScimError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, expected));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection: BytesRejection| ScimError::new(rejection.status(), rejection.body_text()))?;
        read(&bytes).map(Self)
    }
}

/// Parses an object. The depth is bounded by the parser.
pub(crate) fn read(json: &[u8]) -> Result<Attributes, ScimError> {
    let folded: Folded =
        serde_json::from_slice(json).map_err(|error| ScimError::invalid_syntax(format!("malformed JSON: {error}")))?;
    object(folded.0)
}

/// The members of an object.
pub(crate) fn object(value: Value) -> Result<Attributes, ScimError> {
    match value {
        Value::Object(attributes) => Ok(attributes),
        _ => Err(ScimError::invalid_syntax("expected a JSON object")),
    }
}

/// The entries of an attribute that can have several: an array, or one entry without an array.
pub(crate) fn entries(value: Value) -> Vec<Value> {
    match value {
        Value::Array(entries) => entries,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// A text. `null` and an empty one are the same as none (RFC 7643, section 2.5).
pub(crate) fn text(name: &str, value: Value) -> Result<Option<String>, ScimError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        _ => Err(ScimError::invalid_value(format!("expected a string as `{name}`"))),
    }
}

/// A truth value; some directories send it as a string, also capitalised.
pub(crate) fn truth(name: &str, value: &Value) -> Result<bool, ScimError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(ScimError::invalid_value(format!("expected `true` or `false` as `{name}`"))),
    }
}

/// A JSON value whose objects have names in lower case. Each name occurs once: a proxy could have read the other value.
struct Folded(Value);

impl<'de> Deserialize<'de> for Folded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Folding).map(Self)
    }
}

struct Folding;

impl<'de> Visitor<'de> for Folding {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Folded(entry)) = from.next_element()? {
            entries.push(entry);
        }
        Ok(Value::Array(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut attributes = Attributes::new();
        while let Some((name, Folded(value))) = from.next_entry::<String, Folded>()? {
            if attributes.insert(name.to_ascii_lowercase(), value).is_some() {
                return Err(A::Error::custom(format!("duplicate attribute {}", Quoted(&name))));
            }
        }
        Ok(Value::Object(attributes))
    }
}
