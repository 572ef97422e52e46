//! The code and the text of each kind of error.

use super::*;

fn missing(right: &str, kind: RightKind) -> MissingRight {
    MissingRight {
        right: right.to_owned(),
        kind,
        windows: vec!["until 2027-01-31T00:00:00Z".to_owned()],
        entity: EntityKind::Group,
        name: "a\nb".to_owned(),
        change: "added this".to_owned(),
    }
}

const SEPARATED: &str = "refused: after this change, separation `payments` allows a user at most one of its roles; at 2027-01-01T00:00:00Z, user `alice` \
                         holds more than one of them: has the role `clerk`; remove one of these roles from the user first, or change the \
                         separation";

fn separated() -> Error {
    let held = HeldRole::new("clerk".to_owned(), "has the role `clerk`".to_owned());
    let (separation, user, at) = ("payments".to_owned(), "alice".to_owned(), "2027-01-01T00:00:00Z".to_owned());
    Error::separated(SeparationViolation::new(separation, 1, user, at, vec![held]))
}

/// An error of each kind, as the crate makes it, and its text.
#[expect(clippy::too_many_lines, reason = "a row for each kind")]
fn table() -> Vec<(ErrorKind, Error, &'static str)> {
    use EntityKind::{Group, Role, Tenant, User};
    let commit = CommitId::from_uuid(uuid::Uuid::nil());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let rows = [
        (Error::invalid("slug", "a\nb", "1 character"), "invalid slug `a\\nb`: expected 1 character"),
        (
            Error::not_found(Role, "edtior").suggest(names(&["editor", "auditor"])),
            "role `edtior` not found; did you mean `editor` or `auditor`?",
        ),
        (Error::not_found(User, "alcie").suggest(names(&["alice"])), "user `alcie` not found"),
        (
            Error::not_found(Role, "clerk").reason("it was removed from the catalog"),
            "role `clerk` not found: it was removed from the catalog",
        ),
        (Error::already_exists(Tenant, "acme"), "tenant `acme` already exists"),
        (
            Error::cycle_of(Group, "a", names(&["a", "b", "a"])),
            "cycle of groups: `a` is a part of `b`, which is a part of `a`",
        ),
        (
            Error::new(ErrorKind::WindowMismatch)
                .about(Group, "eng")
                .of_relation(Relation::new(RelationKind::Membership, User, "bob"))
                .instead_of("until 2027-01-31T00:00:00Z", "always")
                .advise("use `set_member_window` to change it"),
            "membership of `bob` in `eng` already exists with another window (until 2027-01-31T00:00:00Z); \
             use `set_member_window` to change it",
        ),
        (
            Error::new(ErrorKind::ReadOnly).about(Role, "clerk"),
            "role `clerk` belongs to the catalog and cannot be changed by a tenant",
        ),
        (
            Error::catalog_conflict(Role, "editor", uuid::Uuid::nil()),
            "role `editor` belongs to the tenant, with the id `00000000-0000-0000-0000-000000000000`, and to the catalog; \
             rename or delete the tenant's own by its id",
        ),
        (
            Error::reserved(Role, "acme-editor", "acme-"),
            "role `acme-editor` begins with `acme-`, which the catalog reserves; choose a slug that does not begin with it",
        ),
        (Error::new(ErrorKind::Document), "invalid document"),
        (
            Error::new(ErrorKind::NestedUpdate),
            "a call that needs the store was made inside the closure of an update, on the same thread; make it after the update",
        ),
        (Error::new(ErrorKind::Stale), "the tenant has changed since the plan was made"),
        (
            Error::new(ErrorKind::Stale).about(EntityKind::Group, "a\nb").reason("no longer exists"),
            r"the tenant has changed since the plan was made: group `a\nb` no longer exists",
        ),
        (
            Error::new(ErrorKind::Stale)
                .about(EntityKind::Role, "b")
                .reason("already exists")
                .of_relation(Relation::new(RelationKind::Inclusion, EntityKind::Role, "a")),
            "the tenant has changed since the plan was made: inclusion of role `b` in role `a` already exists",
        ),
        (
            Error::new(ErrorKind::ForeignPlan),
            "the plan was made by another tenant, or before this tenant was closed and opened again",
        ),
        (
            Error::new(ErrorKind::Conflict),
            "other writers committed first at every attempt; nothing was changed; try again",
        ),
        (
            Error::in_doubt(commit).reason("timed out"),
            "outcome of commit 00000000-0000-0000-0000-000000000000 is not known: timed out; ask for its `outcome` before you \
             repeat the call: the commit may have been applied",
        ),
        (
            Error::blocked(commit),
            "blocked by commit 00000000-0000-0000-0000-000000000000, which is in doubt or staged; this call \
             changed nothing; try again later",
        ),
        (
            Error::new(ErrorKind::Unavailable).reason("timed\nout"),
            "store unavailable: timed\\nout; nothing was changed",
        ),
        (
            Error::new(ErrorKind::TooLarge).reason("2 MB"),
            "commit is larger than the store accepts: 2 MB; nothing was changed",
        ),
        (Error::new(ErrorKind::UnsupportedRecord), "store does not support a kind of record"),
        (
            Error::new(ErrorKind::Corrupt).reason("the load stopped before its end"),
            "corrupt store content or commit: the load stopped before its end",
        ),
        (
            Error::new(ErrorKind::Corrupt).reason("S3").of_refused_commit(),
            "corrupt store content or commit: S3; nothing was changed",
        ),
        (
            Error::new(ErrorKind::UnsupportedRecord).reason("kind 200").of_refused_commit(),
            "store does not support a kind of record: kind 200; nothing was changed",
        ),
        (Error::new(ErrorKind::Closed), "tenant is closed; open it again"),
        (Error::new(ErrorKind::Deleted), "tenant was deleted"),
        (
            Error::new(ErrorKind::TooManyEntities),
            "the tenant has had too many entities of one kind since it was opened; close it and open it again if most were deleted",
        ),
        (Error::rejected("the trial has ended"), "the trial has ended"),
        (
            Error::new(ErrorKind::Managed).about(Group, "eng").managed_by("okta").advise("act for it"),
            "group `eng` is managed by `okta`; act for it",
        ),
        (separated(), SEPARATED),
        (
            Error::asserted(AssertionViolation::new(
                "payments".to_owned(),
                true,
                "bob".to_owned(),
                "2027-01-01T00:00:00Z".to_owned(),
                "user `bob` may do `pay`".to_owned(),
            )),
            "refused: after this change, assertion `payments` does not hold: user `bob` may do `pay`",
        ),
        (
            Error::new(ErrorKind::NotInHistory).reason("it begins later"),
            "the history does not have this state: it begins later",
        ),
        (
            Error::new(ErrorKind::Internal).reason("a row exists; nothing was committed"),
            "internal invariant broken: a row exists; nothing was committed",
        ),
    ];
    rows.into_iter().chain(escalations()).map(|(error, text)| (error.kind(), error, text)).collect()
}

fn escalations() -> Vec<(Error, &'static str)> {
    vec![
        (
            Error::escalation(
                "bob",
                vec![missing("pay:*", RightKind::Pattern), missing("old", RightKind::UnavailableRole)],
                2,
            ),
            "user `bob` cannot give rights that they do not hold: `pay:*` to group `a\\nb` until 2027-01-31T00:00:00Z (added \
             this); unavailable role `old` to group `a\\nb` until 2027-01-31T00:00:00Z (added this); and 2 more",
        ),
        (
            Error::escalation(
                "bob",
                vec![MissingRight { windows: vec!["always".to_owned()], ..missing("pay", RightKind::Permission) }],
                0,
            )
            .reason("who is suspended"),
            "user `bob` (who is suspended) cannot give rights that they do not hold: `pay` to group `a\\nb` (added this)",
        ),
    ]
}

#[test]
fn each_kind_has_a_text() {
    let table = table();
    for (_, error, text) in &table {
        assert_eq!(error.to_string(), *text);
        assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
    }
    for kind in ErrorKind::ALL {
        assert!(table.iter().any(|row| row.0 == *kind), "{kind} has no row");
    }
}

/// What to do is data of its own, and the rest says what is wrong.
#[test]
fn advice_is_not_in_the_detail() {
    let table = [
        (ErrorKind::NestedUpdate, "make it after the update"),
        (ErrorKind::Conflict, "try again"),
        (ErrorKind::Blocked, "try again later"),
        (ErrorKind::Closed, "open it again"),
        (ErrorKind::TooManyEntities, "close it and open it again if most were deleted"),
    ];
    for (kind, advice) in table {
        let error = Error::new(kind);
        assert_eq!(error.advice(), Some(advice));
        let detail = serde_json::to_value(&error).unwrap()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains(advice), "{detail}");
        assert_eq!(error.in_words("other words".to_owned()).advice(), None);
    }
}

#[test]
fn codes_are_stable() {
    let codes: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(
        codes,
        [
            "invalid",
            "not_found",
            "already_exists",
            "cycle",
            "window_mismatch",
            "read_only",
            "catalog_conflict",
            "reserved",
            "document",
            "nested_update",
            "stale",
            "foreign_plan",
            "conflict",
            "in_doubt",
            "blocked",
            "unavailable",
            "too_large",
            "unsupported_record",
            "corrupt",
            "closed",
            "deleted",
            "too_many_entities",
            "rejected",
            "managed",
            "escalation",
            "separation_of_duties",
            "assertion_failed",
            "not_in_history",
            "internal",
        ]
    );
    let codes: Vec<&str> = MistakeCode::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(
        codes,
        [
            "syntax",
            "shape",
            "invalid",
            "not_found",
            "duplicate_entry",
            "duplicate_id",
            "missing_manager",
            "duplicate_reference",
            "cycle",
            "defined_by_catalog",
            "retired",
            "reserved",
            "id_taken",
            "slug_taken",
            "other_tenant",
        ]
    );
    let codes: Vec<&str> = ViolationCode::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(
        codes,
        [
            "dangling_reference",
            "duplicate",
            "cycle",
            "mismatch",
            "tenant_record",
            "wrong_origin",
            "unknown_record",
            "too_many_entities",
            "internal",
        ]
    );
}

#[test]
fn serde_writes_and_reads_codes() {
    for kind in ErrorKind::ALL {
        let json = format!("\"{}\"", kind.code());
        assert_eq!(serde_json::to_string(kind).unwrap(), json);
        assert_eq!(serde_json::from_str::<ErrorKind>(&json).unwrap(), *kind);
    }
    for code in MistakeCode::ALL {
        assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
    }
    for code in ViolationCode::ALL {
        assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
    }
}

#[test]
fn an_error_is_data() {
    for (kind, error, text) in table() {
        let value = serde_json::to_value(&error).unwrap();
        assert_eq!(value["code"], kind.code());
        assert_eq!(value["title"], kind.title());
        assert_eq!(value["advice"].as_str(), error.advice());
        let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
        assert_eq!(format!("{}{advice}", value["detail"].as_str().unwrap()), text);
    }
    let reserved = serde_json::to_value(Error::reserved(EntityKind::Role, "acme-x", "acme-")).unwrap();
    assert_eq!((&reserved["name"], &reserved["reserved_prefix"]), (&"acme-x".into(), &"acme-".into()));
    let invalid = serde_json::to_value(Error::invalid("slug", "a b", "no space")).unwrap();
    assert_eq!(
        (&invalid["what"], &invalid["expected"], &invalid["found"]),
        (&"slug".into(), &"no space".into(), &"a b".into())
    );
    assert!(
        invalid.get("entity").is_none() && invalid.get("suggestions").is_none() && invalid.get("unlisted").is_none()
    );
}

#[test]
fn a_long_list_is_cut_in_the_text() {
    let violation = |n: usize| InvariantViolation {
        code: ViolationCode::Duplicate,
        entity: Some(EntityKind::User),
        names: vec![n.to_string()],
        message: format!("v{n}"),
    };
    let error = Error::violating((0..10).map(violation).collect(), 5);
    assert_eq!(
        error.to_string(),
        "store content breaks invariants: v0; v1; v2; v3; v4; v5; v6; v7; and 7 more; repair these records in \
         the store or restore a backup, then open or refresh the tenant"
    );
}
