//! Filters (RFC 7644, section 3.4.2.2). The grammar is that of `scim_v2`, which bounds their depth. A filter that names no place
//! is tried on every user or group, so it has few terms, and what they ask about is fetched once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use rolecall::error::Quoted;
use rolecall::records::{GroupId, GroupRecord, Status, UserRecord};
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};

use super::attribute::{Attribute, ResourceKind};
use super::error::ScimError;
use super::view::View;

/// So many comparisons at most in one filter.
pub(crate) const MOST_TERMS: usize = 50;

/// The groups that have a member, for each id of one that a filter names.
pub(crate) type Memberships<'f> = HashMap<&'f str, HashSet<GroupId>>;

/// A filter whose attributes exist and can be compared.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Present(Attribute),
    Text(Attribute, CompareOp, String),
    Active(bool),
    /// One of the members, or one of the groups, has this id.
    Related(String),
}

/// The subject of a filter.
#[derive(Clone, Debug)]
pub(crate) enum Subject<'a> {
    /// With the user's groups, once they are asked for.
    User(&'a UserRecord, OnceCell<HashSet<GroupId>>),
    Group(&'a GroupRecord, &'a Memberships<'a>),
}

/// Where the only entities are that can pass a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    Id(String),
    ExternalId(String),
    /// The members of the group with this id, or the groups that what has this id is in.
    RelatedTo(String),
}

/// A text in lower case: user names and display names are compared without case (RFC 7643, section 4).
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

/// Parses a filter about users or groups.
pub(crate) fn parse(kind: ResourceKind, filter: &str) -> Result<Test, ScimError> {
    let parsed: Filter = filter.parse().map_err(|error: scim_v2::filter::ParseError| {
        ScimError::invalid_filter(format!("malformed filter: {error}"))
    })?;
    let test = Test::new(kind, &parsed)?;
    if test.terms().len() > MOST_TERMS {
        return Err(ScimError::invalid_filter(format!("more than {MOST_TERMS} comparisons in one filter")));
    }
    Ok(test)
}

fn attribute(kind: ResourceKind, path: &AttrPath) -> Result<Attribute, ScimError> {
    let unknown = || ScimError::invalid_filter(format!("cannot filter by {}", Quoted(&path.to_string())));
    let found = Attribute::find(kind, path).ok_or_else(unknown)?;
    let is_list = matches!(found, Attribute::Members | Attribute::Groups);
    match &path.sub_attr {
        None if !matches!(found, Attribute::Meta | Attribute::Ignored) => Ok(found),
        Some(sub) if is_list && sub.eq_ignore_ascii_case("value") => Ok(found),
        _ => Err(unknown()),
    }
}

impl Test {
    fn new(kind: ResourceKind, filter: &Filter) -> Result<Self, ScimError> {
        let all = |filters: &[Filter]| filters.iter().map(|filter| Self::new(kind, filter)).collect::<Result<_, _>>();
        match filter {
            Filter::And(filters) => Ok(Self::All(all(filters)?)),
            Filter::Or(filters) => Ok(Self::Any(all(filters)?)),
            Filter::Not(filter) => Ok(Self::Not(Box::new(Self::new(kind, filter)?))),
            Filter::Attr(AttrExp::Present(path)) => Ok(Self::Present(attribute(kind, path)?)),
            Filter::Attr(AttrExp::Comparison(path, operator, value)) => {
                Self::comparison(attribute(kind, path)?, operator, value)
            }
            Filter::ValuePath(path) => {
                let found = attribute(kind, &path.attr)?;
                let ids = values(&path.filter).filter(|_| matches!(found, Attribute::Members | Attribute::Groups));
                let ids = ids.ok_or_else(|| ScimError::invalid_filter("expected `value eq` in the brackets"))?;
                Ok(Self::Any(ids.into_iter().map(Self::Related).collect()))
            }
        }
    }

    fn comparison(attribute: Attribute, operator: &CompareOp, value: &CompValue) -> Result<Self, ScimError> {
        let not = |is_negative: bool, test: Self| if is_negative { Self::Not(Box::new(test)) } else { test };
        let is_ne = *operator == CompareOp::Ne;
        let is_equality = is_ne || *operator == CompareOp::Eq;
        match (attribute, value) {
            (_, CompValue::Null) if is_equality => Ok(not(!is_ne, Self::Present(attribute))),
            (Attribute::Active, CompValue::True) if is_equality => Ok(Self::Active(!is_ne)),
            (Attribute::Active, CompValue::False) if is_equality => Ok(Self::Active(is_ne)),
            (Attribute::Active, CompValue::Str(text)) if is_equality => {
                let is_true = text.eq_ignore_ascii_case("true");
                if !is_true && !text.eq_ignore_ascii_case("false") {
                    return Err(ScimError::invalid_filter("`active` is `true` or `false`"));
                }
                Ok(Self::Active(is_true != is_ne))
            }
            (Attribute::Members | Attribute::Groups, CompValue::Str(id)) if is_equality => {
                Ok(not(is_ne, Self::Related(id.clone())))
            }
            (Attribute::UserName | Attribute::DisplayName, CompValue::Str(text)) => {
                Ok(Self::Text(attribute, operator.clone(), folded(text).into_owned()))
            }
            (Attribute::Id | Attribute::ExternalId, CompValue::Str(text)) => {
                Ok(Self::Text(attribute, operator.clone(), text.clone()))
            }
            _ => Err(ScimError::invalid_filter("the attribute cannot be compared like this")),
        }
    }

    /// Returns the places that can contain matches, and the tests still to run there. Entities at a place already pass the test
    /// that led to it.
    pub(crate) fn places(&self) -> Option<(Vec<Candidates>, Vec<&Self>)> {
        let only = |place| Some((vec![place], Vec::new()));
        match self {
            Self::All(tests) => {
                let mut found = tests.iter().enumerate().filter_map(|(at, test)| Some((at, test.places()?)));
                let (at, (places, mut rest)) = found.next()?;
                rest.extend(tests.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, test)| test));
                Some((places, rest))
            }
            Self::Any(tests) => {
                let each: Vec<_> = tests.iter().map(Self::places).collect::<Option<_>>()?;
                let is_exact = each.iter().all(|(_, rest)| rest.is_empty());
                let places = each.into_iter().flat_map(|(places, _)| places).collect();
                Some((places, if is_exact { Vec::new() } else { vec![self] }))
            }
            Self::Text(Attribute::Id, CompareOp::Eq, id) => only(Candidates::Id(id.clone())),
            Self::Text(Attribute::ExternalId, CompareOp::Eq, id) => only(Candidates::ExternalId(id.clone())),
            Self::Related(id) => only(Candidates::RelatedTo(id.clone())),
            _ => None,
        }
    }

    /// The comparisons in the filter.
    fn terms(&self) -> Vec<&Self> {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().flat_map(Self::terms).collect(),
            Self::Not(test) => test.terms(),
            Self::Present(_) | Self::Text(..) | Self::Active(_) | Self::Related(_) => vec![self],
        }
    }

    /// The groups of the members that the filter names.
    pub(crate) fn memberships(&self, view: &View<'_>) -> Memberships<'_> {
        let ids =
            self.terms().into_iter().filter_map(|term| if let Self::Related(id) = term { Some(id) } else { None });
        ids.map(|id| (id.as_str(), view.groups_with(id).iter().map(|group| group.id).collect())).collect()
    }

    /// Whether a user or group passes.
    pub(crate) fn passes(&self, view: &View<'_>, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.passes(view, subject)),
            Self::Any(tests) => tests.iter().any(|test| test.passes(view, subject)),
            Self::Not(test) => !test.passes(view, subject),
            Self::Present(attribute) => subject.is_present(view, *attribute),
            Self::Text(attribute, operator, wanted) => {
                let text = subject.text(*attribute);
                text.map_or(*operator == CompareOp::Ne, |text| compare(&text, operator, wanted))
            }
            Self::Active(wanted) => subject.is_active() == Some(*wanted),
            Self::Related(id) => subject.is_related(view, id),
        }
    }
}

/// The ids in `value eq "…"`, or in several of these with `or`.
pub(crate) fn values(filter: &ValFilter) -> Option<Vec<String>> {
    match filter {
        ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(id)))
            if path.uri.is_none() && path.sub_attr.is_none() && path.name.eq_ignore_ascii_case("value") =>
        {
            Some(vec![id.clone()])
        }
        ValFilter::Or(filters) => {
            let ids: Option<Vec<Vec<String>>> = filters.iter().map(values).collect();
            ids.map(|ids| ids.concat())
        }
        _ => None,
    }
}

fn compare(text: &str, operator: &CompareOp, wanted: &str) -> bool {
    match operator {
        CompareOp::Eq => text == wanted,
        CompareOp::Ne => text != wanted,
        CompareOp::Co => text.contains(wanted),
        CompareOp::Sw => text.starts_with(wanted),
        CompareOp::Ew => text.ends_with(wanted),
        CompareOp::Gt => text > wanted,
        CompareOp::Ge => text >= wanted,
        CompareOp::Lt => text < wanted,
        CompareOp::Le => text <= wanted,
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn user(user: &'a UserRecord) -> Self {
        Self::User(user, OnceCell::new())
    }

    fn text(&self, attribute: Attribute) -> Option<Cow<'a, str>> {
        match (attribute, self) {
            (Attribute::Id, Self::User(user, _)) => Some(user.id.to_string().into()),
            (Attribute::Id, Self::Group(group, _)) => Some(group.id.to_string().into()),
            (Attribute::ExternalId, Self::User(user, _)) => user.external_id().map(|id| id.as_str().into()),
            (Attribute::ExternalId, Self::Group(group, _)) => group.external_id().map(|id| id.as_str().into()),
            (Attribute::UserName, Self::User(user, _)) => Some(folded(user.key.as_str())),
            (Attribute::DisplayName, Self::User(user, _)) => user.display_name().map(|name| folded(name.as_str())),
            (Attribute::DisplayName, Self::Group(group, _)) => Some(folded(group.name.as_str())),
            _ => None,
        }
    }

    fn is_active(&self) -> Option<bool> {
        match self {
            Self::User(user, _) => Some(user.status == Status::Active),
            Self::Group(..) => None,
        }
    }

    fn is_present(&self, view: &View<'_>, attribute: Attribute) -> bool {
        match (attribute, self) {
            (Attribute::Active, Self::User(..)) => true,
            (Attribute::Members, Self::Group(group, _)) => view.has_members(group.id),
            (Attribute::Groups, Self::User(user, groups)) => !groups_of(view, user, groups).is_empty(),
            _ => self.text(attribute).is_some(),
        }
    }

    /// Whether the id is that of a member of the group, or of a group of the user.
    fn is_related(&self, view: &View<'_>, id: &str) -> bool {
        match self {
            Self::User(user, groups) => id.parse().is_ok_and(|id: GroupId| groups_of(view, user, groups).contains(&id)),
            Self::Group(group, memberships) => memberships.get(id).is_some_and(|groups| groups.contains(&group.id)),
        }
    }
}

fn groups_of<'s>(view: &View<'_>, user: &UserRecord, fetched: &'s OnceCell<HashSet<GroupId>>) -> &'s HashSet<GroupId> {
    fetched.get_or_init(|| view.groups_of(user.id).iter().map(|group| group.id).collect())
}
