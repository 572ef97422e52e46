//! Which part of a list, and which attributes (RFC 7644, sections 3.4.2 and 3.9).

use serde_json::{Map, Value};

use super::attribute::ResourceKind;
use super::body::Attributes;
use super::error::ScimError;

/// So many resources at most in one answer.
pub(crate) const MOST_RESULTS: usize = 200;

/// So many if the client does not say.
const DEFAULT_RESULTS: usize = 100;

/// So many names at most in `attributes` and in `excludedAttributes`. Each attribute of each resource is compared with all.
const MOST_NAMES: usize = 100;

/// These are always there.
const ALWAYS: [&str; 2] = ["id", "schemas"];

/// Which attributes an answer has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Projection {
    /// Only these; all if it is empty. In lower case, with or without a sub-attribute.
    included: Vec<String>,
    excluded: Vec<String>,
}

/// The parameters of a list, from the query or from the body of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListQuery {
    pub(crate) filter: Option<String>,
    /// How many matches are left out at the beginning.
    pub(crate) skip: usize,
    pub(crate) count: usize,
    pub(crate) projection: Projection,
}

/// The name of an attribute, in lower case and without the schema of users and groups.
fn plain(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let schemas =
        [ResourceKind::User, ResourceKind::Group].map(|kind| format!("{}:", kind.schema().to_ascii_lowercase()));
    let plain = schemas.iter().find_map(|schema| name.strip_prefix(schema.as_str())).map(str::to_owned);
    plain.unwrap_or(name)
}

fn is_or_begins(path: &str, name: &str) -> bool {
    path.split('.').next() == Some(name)
}

impl Projection {
    fn new(included: Vec<String>, excluded: Vec<String>) -> Result<Self, ScimError> {
        if !included.is_empty() && !excluded.is_empty() {
            return Err(ScimError::invalid_value("`attributes` and `excludedAttributes` exclude each other"));
        }
        if included.len().max(excluded.len()) > MOST_NAMES {
            let text = format!("more than {MOST_NAMES} names in `attributes` or `excludedAttributes`");
            return Err(ScimError::invalid_value(text));
        }
        Ok(Self { included, excluded })
    }

    /// The attributes in the query of a request.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Self, ScimError> {
        let list = |value: &str| value.split(',').map(plain).filter(|name| !name.is_empty()).collect::<Vec<_>>();
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.to_ascii_lowercase().as_str() {
                "attributes" => included.extend(list(&value)),
                "excludedattributes" => excluded.extend(list(&value)),
                _ => {}
            }
        }
        Self::new(included, excluded)
    }

    /// Whether the request says which attributes it wants.
    pub(crate) fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// Leaves out an attribute, too.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.excluded.push(name.to_owned());
        self
    }

    /// Whether an answer has an attribute, given by its name in lower case.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let is_included = self.included.is_empty() || self.included.iter().any(|path| is_or_begins(path, name));
        is_included && !self.excluded.iter().any(|path| path == name)
    }

    /// Leaves out what is not wanted.
    pub(crate) fn apply(&self, kind: ResourceKind, resource: Map<String, Value>) -> Value {
        debug_assert!(resource.contains_key("schemas"), "{} is complete", kind.name());
        let is_wanted = |name: &str| ALWAYS.contains(&name) || self.wants(name);
        let attributes = resource.into_iter().filter_map(|(name, value)| {
            let key = name.to_ascii_lowercase();
            is_wanted(&key).then(|| (name, self.with_sub_attributes(&key, value)))
        });
        Value::Object(attributes.collect())
    }

    fn with_sub_attributes(&self, name: &str, value: Value) -> Value {
        let has_all =
            self.included.is_empty() || ALWAYS.contains(&name) || self.included.iter().any(|path| path == name);
        let is_wanted = |sub: &str| {
            let path = format!("{name}.{}", sub.to_ascii_lowercase());
            (has_all || self.included.contains(&path)) && !self.excluded.contains(&path)
        };
        if has_all && !self.excluded.iter().any(|path| is_or_begins(path, name)) {
            return value;
        }
        match value {
            Value::Array(entries) => entries.into_iter().map(|entry| self.with_sub_attributes(name, entry)).collect(),
            Value::Object(attributes) => {
                Value::Object(attributes.into_iter().filter(|(sub, _)| is_wanted(sub)).collect())
            }
            plain => plain,
        }
    }
}

impl ListQuery {
    fn new(projection: Projection) -> Self {
        Self { filter: None, skip: 0, count: DEFAULT_RESULTS, projection }
    }

    /// A number below 1 counts as 1 (RFC 7644, section 3.4.2.4).
    fn set_start(&mut self, start: i64) {
        self.skip = usize::try_from(start.saturating_sub(1)).unwrap_or(0);
    }

    /// A negative number counts as 0.
    fn set_count(&mut self, count: i64) {
        self.count = usize::try_from(count).unwrap_or(0).min(MOST_RESULTS);
    }

    /// The parameters in the query of a request.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Self, ScimError> {
        let mut list = Self::new(Projection::of_query(query)?);
        let number = |name: &str, value: &str| {
            value.parse::<i64>().map_err(|_| ScimError::invalid_value(format!("expected a number as `{name}`")))
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.to_ascii_lowercase().as_str() {
                "filter" if list.filter.is_some() => return Err(ScimError::invalid_filter("expected one filter")),
                "filter" => list.filter = Some(value.into_owned()),
                "startindex" => list.set_start(number(&name, &value)?),
                "count" => list.set_count(number(&name, &value)?),
                _ => {}
            }
        }
        Ok(list)
    }

    /// The parameters in the body of a search.
    pub(crate) fn of_search(mut body: Attributes) -> Result<Self, ScimError> {
        let mut names = |name: &str| -> Result<Vec<String>, ScimError> {
            let list = super::body::entries(body.remove(&name.to_ascii_lowercase()).unwrap_or_default());
            let name = |value: &Value| {
                let text =
                    value.as_str().ok_or_else(|| ScimError::invalid_value(format!("expected strings in `{name}`")));
                text.map(plain)
            };
            list.iter().map(name).collect()
        };
        let mut list = Self::new(Projection::new(names("attributes")?, names("excludedAttributes")?)?);
        list.filter = super::body::text("filter", body.remove("filter").unwrap_or_default())?;
        let mut number = |name: &str| match body.remove(&name.to_ascii_lowercase()) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(ScimError::invalid_value(format!("expected a number as `{name}`"))),
            },
        };
        if let Some(start) = number("startIndex")? {
            list.set_start(start);
        }
        if let Some(count) = number("count")? {
            list.set_count(count);
        }
        Ok(list)
    }
}
