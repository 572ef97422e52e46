//! Every mistake in a document is reported at once, each with its place as a JSON pointer.

use rolecall::blocking::Authorizer;
use rolecall::catalog::Catalog;
use rolecall::{
    Error, ErrorKind,
    error::{Mistake, MistakeCode},
};
use serde_json::{Value, json};

use super::{authorizer, document, export, first_release, second_release};

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
/// The last digit is another one.
const SIMILAR: &str = "67e55044-10b1-426f-9247-bb680e5fe0c9";
const OTHER: &str = "0f3f1f8e-3f5e-4b0a-9d2c-1a2b3c4d5e6f";

/// Returns the mistakes of a document, and checks that their places exist.
fn told(catalog: &Catalog, json: &Value) -> Vec<String> {
    let error = authorizer(catalog).0.import(&document(json)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Document, "{error}");
    for mistake in error.mistakes() {
        assert!(json.pointer(&mistake.pointer).is_some(), "{mistake}");
    }
    lines(&error)
}

fn lines(error: &Error) -> Vec<String> {
    error.mistakes().iter().map(Mistake::to_string).collect()
}

/// Checks the mistakes in a document of the tenant `a` with these lists.
fn row(mut lists: Value, mistakes: &[&str]) -> (Value, Vec<String>) {
    let fields = lists.as_object_mut().unwrap();
    fields.insert("format".to_owned(), json!(1));
    fields.entry("tenant").or_insert(json!({"slug": "a"}));
    (lists, mistakes.iter().map(|line| (*line).to_owned()).collect())
}

fn judge(catalog: &Catalog, table: impl IntoIterator<Item = (Value, Vec<String>)>) {
    for (json, mistakes) in table {
        assert_eq!(told(catalog, &json), mistakes, "{json}");
    }
}

#[test]
fn r10_invalid_texts_are_reported_with_their_pointers() {
    const SLUG: &str = "expected 1 to 255 visible ASCII characters other than `*`";
    const NAME: &str = "expected 1 to 255 bytes without control characters";
    const TEXT: &str = "expected at most 4,096 bytes, no control characters but newline and tab";
    let line = |place: &str, what: &str| format!("{place}: {what}");
    let table = [
        (
            json!({"tenant": {"slug": "Acme"}}),
            line("/tenant/slug", "invalid tenant slug `Acme`: expected 1 to 63 characters of a-z, 0-9 and `-`"),
        ),
        (json!({"tenant": {"slug": "a", "name": ""}}), line("/tenant/name", &format!("invalid name ``: {NAME}"))),
        (json!({"permissions": ["a", "b c"]}), line("/permissions/1", &format!("invalid slug `b c`: {SLUG}"))),
        (json!({"permissions": [{"slug": "b*"}]}), line("/permissions/0/slug", &format!("invalid slug `b*`: {SLUG}"))),
        (
            json!({"permissions": [{"slug": "b", "name": "\n"}]}),
            line("/permissions/0/name", &format!("invalid name `\\n`: {NAME}")),
        ),
        (
            json!({"permissions": [{"slug": "b", "category": ""}]}),
            line("/permissions/0/category", &format!("invalid name ``: {NAME}")),
        ),
        (
            json!({"permissions": [{"slug": "b", "description": "\r"}]}),
            line("/permissions/0/description", &format!("invalid description `\\r`: {TEXT}")),
        ),
        (json!({"roles": [""]}), line("/roles/0", &format!("invalid slug ``: {SLUG}"))),
        (json!({"roles": [{"slug": "é"}]}), line("/roles/0/slug", &format!("invalid slug `é`: {SLUG}"))),
        (
            json!({"roles": [{"slug": "r", "permissions": ["*********"]}]}),
            line(
                "/roles/0/permissions/0",
                "invalid pattern `*********`: expected 1 to 255 visible ASCII characters with 1 to 8 stars",
            ),
        ),
        (
            json!({"groups": [{"slug": "g", "name": "\u{85}"}]}),
            line("/groups/0/name", &format!("invalid name `\\u{{85}}`: {NAME}")),
        ),
        (
            json!({"users": ["\t"]}),
            line("/users/0", "invalid user key `\\t`: expected 1 to 320 bytes without control characters"),
        ),
        (
            json!({"users": [{"key": "u", "id": ID.to_uppercase().replace('-', "")}]}),
            line(
                "/users/0/id",
                "invalid id `67E5504410B1426F9247BB680E5FE0C8`: expected a UUID, like 67e55044-10b1-426f-9247-bb680e5fe0c8",
            ),
        ),
        (
            json!({"removed_from_catalog": [{"kind": "role", "slug": "x y", "id": ID}]}),
            line("/removed_from_catalog/0/slug", &format!("invalid slug `x y`: {SLUG}")),
        ),
        (
            json!({"removed_from_catalog": [{"kind": "role", "slug": "x", "id": "x"}]}),
            line(
                "/removed_from_catalog/0/id",
                "invalid id `x`: expected a UUID, like 67e55044-10b1-426f-9247-bb680e5fe0c8",
            ),
        ),
    ];
    judge(&Catalog::empty(), table.iter().map(|(lists, mistake)| row(lists.clone(), &[mistake])));
}

#[test]
fn r3_invalid_windows_are_mistakes() {
    const INSTANT: &str = "expected RFC 3339 with an offset, like 2027-01-31T00:00:00Z";
    let member = |member: Value| json!({"users": ["u"], "groups": [{"slug": "g", "members": [member]}]});
    judge(
        &Catalog::empty(),
        [
            row(
                member(json!({"user": "u", "until": "tomorrow"})),
                &[&format!("/groups/0/members/0/until: invalid instant `tomorrow`: {INSTANT}")],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00"})),
                &[
                    "/groups/0/members/0/from: invalid instant `2027-01-01T00:00:00`: expected an offset at the end, like `Z` or `+01:00`",
                ],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00.0000001Z"})),
                &[
                    "/groups/0/members/0/from: invalid instant `2027-01-01T00:00:00.0000001Z`: expected at most six digits of a second: instants are whole microseconds",
                ],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00Z", "until": "2027-01-01T01:00:00+01:00"})),
                &[
                    "/groups/0/members/0: invalid window `from 2027-01-01T00:00:00Z until 2027-01-01T00:00:00Z`: expected `from` before `until`",
                ],
            ),
            row(
                json!({"groups": ["w", {"slug": "g", "parents": [{"group": "w", "from": "x", "until": "y"}, {"group": "g2"}]}]}),
                &[
                    &format!("/groups/1/parents/0/from: invalid instant `x`: {INSTANT}"),
                    &format!("/groups/1/parents/0/until: invalid instant `y`: {INSTANT}"),
                    "/groups/1/parents/1/group: group `g2` not found in the document; did you mean `g`?",
                ],
            ),
            row(
                json!({"groups": ["w", {"slug": "g", "parents": [{"group": "w", "from": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}]}]}),
                &[
                    "/groups/1/parents/0: invalid window `from 2027-01-01T00:00:00Z until 2027-01-01T00:00:00Z`: expected `from` before `until`",
                ],
            ),
            row(
                json!({"roles": ["r"], "users": [{"key": "u", "roles": [{"role": "r", "from": "x", "until": "y"}]}]}),
                &[
                    &format!("/users/0/roles/0/from: invalid instant `x`: {INSTANT}"),
                    &format!("/users/0/roles/0/until: invalid instant `y`: {INSTANT}"),
                ],
            ),
        ],
    );
}

#[test]
fn a_duplicate_in_a_list_is_a_mistake() {
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"permissions": ["p", {"slug": "p"}]}),
                &["/permissions/1/slug: duplicate permission `p`, first listed at /permissions/0"],
            ),
            row(json!({"roles": ["r", "R", "r"]}), &["/roles/2: duplicate role `r`, first listed at /roles/0"]),
            row(json!({"groups": ["g", "g"]}), &["/groups/1: duplicate group `g`, first listed at /groups/0"]),
            row(json!({"users": [{"key": "u"}, "u"]}), &["/users/1: duplicate user `u`, first listed at /users/0"]),
            row(
                json!({"permissions": ["p"], "roles": [{"slug": "r", "permissions": ["p", "p*", "p", "p*"]}]}),
                &[
                    "/roles/0/permissions/2: permission `p` is listed twice",
                    "/roles/0/permissions/3: pattern `p*` is listed twice",
                ],
            ),
            row(
                json!({"roles": ["r", {"slug": "s", "includes": ["r", "r"]}]}),
                &["/roles/1/includes/1: role `r` is listed twice"],
            ),
            row(
                json!({"groups": ["g", {"slug": "h", "parents": ["g", "g"]}]}),
                &["/groups/1/parents/1: group `g` is listed twice"],
            ),
            row(
                json!({"groups": ["g", {"slug": "h", "parents": ["g", {"group": "g", "until": "2027-01-01T00:00:00Z"}]}]}),
                &["/groups/1/parents/1/group: group `g` is listed twice"],
            ),
            row(
                json!({"roles": ["r"], "groups": [{"slug": "g", "roles": ["r", {"role": "r", "until": "2027-01-01T00:00:00Z"}]}]}),
                &["/groups/0/roles/1/role: role `r` is listed twice"],
            ),
            row(
                json!({"users": ["u"], "groups": [{"slug": "g", "members": [{"user": "u"}, "u"]}]}),
                &["/groups/0/members/1: user `u` is listed twice"],
            ),
            row(
                json!({"roles": ["r"], "users": [{"key": "u", "roles": ["r", "r"]}]}),
                &["/users/0/roles/1: role `r` is listed twice"],
            ),
            row(
                json!({"users": [{"key": "u", "id": ID}, {"key": "v", "id": ID}]}),
                &[&format!("/users/1/id: duplicate id `{ID}`, first used at /users/0/id")],
            ),
            row(
                json!({"groups": [{"slug": "g", "id": ID}], "roles": [{"slug": "r", "id": ID}]}),
                &[&format!("/groups/0/id: duplicate id `{ID}`, first used at /roles/0/id")],
            ),
        ],
    );
}

#[test]
fn r10_mistakes_in_external_ids_and_managers_have_their_pointer() {
    const BOUNDS: &str = "expected 1 to 255 bytes without control characters";
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"users": [{"key": "u", "external_id": "1"}, {"key": "v", "name": "", "managed_by": "okta"}]}),
                &[
                    "/users/0/external_id: external id without `managed_by`",
                    &format!("/users/1/name: invalid name ``: {BOUNDS}"),
                ],
            ),
            row(
                json!({"groups": [{"slug": "g", "external_id": "\n", "managed_by": ""}]}),
                &[
                    &format!("/groups/0/managed_by: invalid name of a directory ``: {BOUNDS}"),
                    &format!("/groups/0/external_id: invalid external id `\\n`: {BOUNDS}"),
                ],
            ),
            row(
                json!({
                    "groups": [{"slug": "g", "external_id": "1", "managed_by": "okta"}],
                    "users": [
                        {"key": "u", "external_id": "1", "managed_by": "okta"},
                        {"key": "v", "external_id": "1", "managed_by": "entra"},
                        {"key": "w", "external_id": "1", "managed_by": "okta"},
                    ],
                }),
                &["/users/2/external_id: duplicate external id `1` of `okta`, first used at /users/0"],
            ),
        ],
    );
}

#[test]
fn r6_a_reference_must_name_an_existing_entity() {
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"users": ["alice"], "groups": ["f", {"slug": "g", "members": ["alcie", {"user": "bob"}]}]}),
                &[
                    "/groups/1/members/0: user `alcie` not found in the document; did you mean `alice`?",
                    "/groups/1/members/1/user: user `bob` not found in the document",
                ],
            ),
            row(
                json!({"permissions": ["posts:read", "posts:write"], "roles": [{"slug": "r", "permissions": ["post:read"]}]}),
                &[
                    "/roles/0/permissions/0: permission `post:read` not found in the document; did you mean `posts:read`?",
                ],
            ),
            row(
                json!({"roles": [{"slug": "editor", "includes": ["edtior"]}]}),
                &["/roles/0/includes/0: role `edtior` not found in the document; did you mean `editor`?"],
            ),
            row(
                json!({"groups": [{"slug": "g", "parents": ["a b"], "roles": ["x"]}]}),
                &[
                    "/groups/0/parents/0: group `a b` not found in the document",
                    "/groups/0/roles/0: role `x` not found in the document",
                ],
            ),
            row(
                json!({"users": [{"key": "u", "roles": [{"role": "x"}]}]}),
                &["/users/0/roles/0/role: role `x` not found in the document"],
            ),
        ],
    );
    judge(
        &first_release(),
        [row(
            json!({"users": [{"key": "u", "roles": ["clork", "bookkeeper"]}]}),
            &[
                "/users/0/roles/0: role `clork` not found in the document or the catalog; did you mean `clerk`?",
                "/users/0/roles/1: role `bookkeeper` not found in the document or the catalog; it was removed from the catalog",
            ],
        )],
    );
}

/// References are slugs and keys. A reference that is an id says so, even if an entry of the document has that id.
#[test]
fn f20_an_id_in_place_of_a_key_or_slug_is_noticed() {
    let key = "this text is a UUID, and a document refers to a user by its key, not by its id";
    let slug = |entity| format!("this text is a UUID, and a document refers to a {entity} by its slug, not by its id");
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"users": [{"key": "alice", "id": ID}], "groups": [{"slug": "g", "members": [ID, {"user": OTHER}]}]}),
                &[
                    &format!("/groups/0/members/0: user `{ID}` not found in the document; {key}"),
                    &format!("/groups/0/members/1/user: user `{OTHER}` not found in the document; {key}"),
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "permissions": [ID]}], "groups": [{"slug": "g", "parents": [ID], "roles": [ID]}]}),
                &[
                    &format!(
                        "/roles/0/permissions/0: permission `{ID}` not found in the document; {}",
                        slug("permission")
                    ),
                    &format!("/groups/0/parents/0: group `{ID}` not found in the document; {}", slug("group")),
                    &format!("/groups/0/roles/0: role `{ID}` not found in the document; {}", slug("role")),
                ],
            ),
            // A mistyped key where keys are UUIDs.
            row(
                json!({"users": [{"key": ID}], "groups": [{"slug": "g", "members": [SIMILAR]}]}),
                &[&format!("/groups/0/members/0: user `{SIMILAR}` not found in the document; did you mean `{ID}`?")],
            ),
        ],
    );
}

#[test]
fn r7_every_cycle_is_shown() {
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"groups": [{"slug": "a", "parents": ["a"]}]}),
                &["/groups/0/parents/0: cycle of groups: `a` is a part of `a`"],
            ),
            row(
                json!({"groups": [{"slug": "a", "parents": [{"group": "b", "until": "2027-01-01T00:00:00Z"}]},
                              {"slug": "b", "parents": [{"group": "a", "from": "2027-01-01T00:00:00Z"}]}]}),
                &["/groups/1/parents/0: cycle of groups: `a` is a part of `b`, which is a part of `a`"],
            ),
            row(
                json!({"groups": [{"slug": "a", "parents": ["b"]}, {"slug": "b", "parents": ["d", "a"]}, {"slug": "c", "parents": ["d"]},
                              {"slug": "d", "parents": ["c"]}]}),
                &[
                    "/groups/2/parents/0: cycle of groups: `d` is a part of `c`, which is a part of `d`",
                    "/groups/1/parents/1: cycle of groups: `a` is a part of `b`, which is a part of `a`",
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "includes": ["s"]}, {"slug": "s", "includes": ["r"]}]}),
                &["/roles/1/includes/0: cycle of roles: `r` includes `s`, which includes `r`"],
            ),
        ],
    );
    let many = if cfg!(debug_assertions) { 1_000 } else { 100_000 };
    let groups: Vec<Value> =
        (0..many).map(|n| json!({"slug": n.to_string(), "parents": [((n + 1) % many).to_string()]})).collect();
    let told = told(&Catalog::empty(), &json!({"format": 1, "tenant": {"slug": "a"}, "groups": groups}));
    assert!(
        told[0].starts_with(&format!("/groups/{}/parents/0: cycle of groups: `0` is a part of `1`", many - 1))
            && told[0].len() < 700,
        "{told:?}"
    );
}

#[test]
fn r9_catalog_entries_are_referred_to_and_not_listed() {
    let catalog = first_release();
    let (clerk, read) = (catalog.roles()[0].id(), catalog.permissions()[0].id());
    judge(
        &catalog,
        [
            row(
                json!({"permissions": ["billing:read"]}),
                &[
                    "/permissions/0: permission `billing:read` is defined by the catalog; refer to it without listing it",
                ],
            ),
            row(
                json!({"permissions": [{"slug": "billing:all"}]}),
                &["/permissions/0/slug: permission `billing:all` cannot be used: it was removed from the catalog"],
            ),
            row(
                json!({"roles": ["bookkeeper", "clerk"]}),
                &[
                    "/roles/0: role `bookkeeper` cannot be used: it was removed from the catalog",
                    "/roles/1: role `clerk` is defined by the catalog; refer to it without listing it",
                ],
            ),
            row(
                json!({"permissions": ["invoices:send"], "roles": ["billing-intern", {"slug": "invoices:x"}]}),
                &[
                    "/permissions/0: permission `invoices:send` begins with `invoices:`, which the catalog reserves",
                    "/roles/0: role `billing-intern` begins with `billing-`, which the catalog reserves",
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "id": clerk}], "users": [{"key": "u", "id": read}]}),
                &[
                    &format!("/roles/0/id: id `{clerk}` belongs to a role of the catalog"),
                    &format!("/users/0/id: id `{read}` belongs to a permission of the catalog"),
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "includes": ["clerk", "clerk"], "permissions": ["billing:read", "billing:read"]}]}),
                &[
                    "/roles/0/permissions/1: permission `billing:read` is listed twice",
                    "/roles/0/includes/1: role `clerk` is listed twice",
                ],
            ),
        ],
    );
}

#[test]
fn r9_removed_entries_have_names_of_their_own() {
    let catalog = second_release();
    let clerk = catalog.roles()[0].id().to_string();
    let removed_from_catalog = |kind: &str, slug: &str, id: &str| json!({"kind": kind, "slug": slug, "id": id});
    judge(
        &catalog,
        [
            row(
                json!({"roles": ["x"], "removed_from_catalog": [removed_from_catalog("role", "x", ID)]}),
                &["/removed_from_catalog/0/slug: slug `x` belongs to another role of the document or the catalog"],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "billing-clerk", ID)]}),
                &[
                    "/removed_from_catalog/0/slug: slug `billing-clerk` belongs to another role of the document or the catalog",
                ],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "x", ID), removed_from_catalog("role", "x", OTHER)]}),
                &["/removed_from_catalog/1/slug: slug `x` belongs to another role of the document or the catalog"],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "x", ID), removed_from_catalog("permission", "x", ID)]}),
                &[&format!(
                    "/removed_from_catalog/1/id: duplicate id `{ID}`, first used at /removed_from_catalog/0/id"
                )],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("permission", "x", &clerk)]}),
                &[&format!("/removed_from_catalog/0/id: id `{clerk}` belongs to a role of the catalog")],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "old", &clerk)], "users": [{"key": "u", "roles": ["old", "billing-clerk"]}]}),
                &["/users/0/roles/1: role `billing-clerk` is listed twice"],
            ),
        ],
    );
}

#[test]
fn r12_a_replace_is_validated_against_the_tenant() {
    let (authorizer, _) = authorizer(&first_release());
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let role = acme.update(|tx| tx.create_role("editor")?.id()).unwrap().value;
    let judge = |json: Value, mistakes: &[&str]| {
        let error = acme.plan_replace(&document(&json)).unwrap_err();
        assert_eq!(
            (error.kind(), lines(&error)),
            (ErrorKind::Document, mistakes.iter().map(|m| (*m).to_owned()).collect())
        );
    };
    judge(
        json!({"format": 1, "tenant": {"slug": "other"}}),
        &["/tenant/slug: expected `acme`, the tenant to replace, found `other`"],
    );
    judge(
        json!({"format": 1, "tenant": {"slug": "acme"}, "groups": [{"slug": "g", "id": role}]}),
        &[&format!("/groups/0/id: id `{role}` belongs to a role of the tenant")],
    );
    judge(
        json!({"format": 1, "tenant": {"slug": "acme"}, "removed_from_catalog": [{"kind": "role", "slug": "x", "id": role}]}),
        &[&format!("/removed_from_catalog/0/id: id `{role}` belongs to a role of the tenant")],
    );
    assert_eq!(acme.revision().number(), 2);
}

#[test]
fn all_mistakes_are_reported_together_and_nothing_is_created() {
    let json = json!({
        "format": 1, "tenant": {"slug": "A"},
        "permissions": ["p p", "q", "q"],
        "roles": [{"slug": "r", "permissions": ["x", "*********"], "includes": ["r"]}],
        "groups": [{"slug": "g", "parents": ["h"], "roles": ["x"], "members": [{"user": "u", "until": "x"}]}],
        "users": [{"key": "", "id": "x", "roles": ["y"]}],
    });
    let places: Vec<String> =
        told(&Catalog::empty(), &json).iter().map(|line| line.split_once(':').unwrap().0.to_owned()).collect();
    assert_eq!(
        places,
        [
            "/users/0/id",
            "/tenant/slug",
            "/permissions/0",
            "/permissions/2",
            "/users/0/key",
            "/roles/0/permissions/0",
            "/roles/0/permissions/1",
            "/roles/0/includes/0",
            "/groups/0/parents/0",
            "/groups/0/roles/0",
            "/users/0/roles/0",
            "/groups/0/members/0/user",
            "/groups/0/members/0/until",
        ]
    );
}

#[test]
fn a_hundred_mistakes_are_listed_and_the_rest_is_counted() {
    let permissions: Vec<String> =
        (0..400).map(|n| format!("some-long-prefix-of-a-service.resource-{n}.get")).collect();
    let grants: Vec<String> = (0..1_000).map(|n| format!("some-long-prefix-of-a-service.resource{n}.get")).collect();
    let json = json!({"format": 1, "tenant": {"slug": "a"}, "permissions": permissions, "roles": [{"slug": "r", "permissions": grants}]});
    let document = document(&json);
    let error = Authorizer::in_memory().import(&document).unwrap_err();
    assert_eq!((error.mistakes().len(), error.unlisted()), (100, 900));
    let last = error.mistakes()[99].to_string();
    assert!(last.starts_with("/roles/0/permissions/99: ") && last.contains("did you mean"), "{last}");
    assert!(error.to_string().ends_with("; and 992 more"), "{error}");
}

/// Every code, each shown by a document with that mistake only; `syntax`, `shape` and `other_tenant` are elsewhere.
#[test]
fn every_mistake_has_a_code() {
    use MistakeCode::{
        Cycle, DefinedByCatalog, DuplicateEntry, DuplicateId, DuplicateReference, IdTaken, Invalid, NotFound, Reserved,
        Retired, SlugTaken,
    };
    let catalog = first_release();
    let clerk = catalog.roles()[0].id();
    let table = [
        (Invalid, json!({"roles": ["a b"]})),
        (NotFound, json!({"users": [{"key": "u", "roles": ["x"]}]})),
        (DuplicateEntry, json!({"roles": ["r", "r"]})),
        (DuplicateId, json!({"users": [{"key": "u", "id": ID}, {"key": "v", "id": ID}]})),
        (DuplicateReference, json!({"roles": ["r"], "users": [{"key": "u", "roles": ["r", "r"]}]})),
        (DuplicateReference, json!({"roles": [{"slug": "r", "permissions": ["a*", "a*"]}]})),
        (Cycle, json!({"groups": [{"slug": "g", "parents": ["g"]}]})),
        (DefinedByCatalog, json!({"roles": ["clerk"]})),
        (Retired, json!({"roles": ["bookkeeper"]})),
        (Reserved, json!({"permissions": ["invoices:send"]})),
        (IdTaken, json!({"roles": [{"slug": "r", "id": clerk}]})),
        (IdTaken, json!({"removed_from_catalog": [{"kind": "permission", "slug": "p", "id": clerk}]})),
        (SlugTaken, json!({"roles": ["x"], "removed_from_catalog": [{"kind": "role", "slug": "x", "id": ID}]})),
    ];
    for (code, lists) in table {
        let (json, _) = row(lists, &[]);
        let error = authorizer(&catalog).0.import(&document(&json)).unwrap_err();
        let codes: Vec<MistakeCode> = error.mistakes().iter().map(|mistake| mistake.code).collect();
        assert_eq!(codes, [code], "{json}");
    }
}

#[test]
fn the_documentation_lists_every_code() {
    let documentation = include_str!("../../src/document.rs");
    let listed: Vec<&str> =
        documentation.lines().filter_map(|line| line.strip_prefix("/// | `")?.split('`').next()).collect();
    assert_eq!(listed, MistakeCode::ALL.iter().map(|code| code.code()).collect::<Vec<_>>());
}

#[test]
fn mistakes_are_data() {
    let (json, _) = row(json!({"roles": ["editor"], "users": [{"key": "u", "roles": ["edtior"]}]}), &[]);
    let error = Authorizer::in_memory().import(&document(&json)).unwrap_err();
    let message = "role `edtior` not found in the document; did you mean `editor`?";
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        json!({
            "code": "document",
            "title": "invalid document",
            "detail": format!("invalid document: /users/0/roles/0: {message}"),
            "mistakes": [{"pointer": "/users/0/roles/0", "code": "not_found", "message": message}],
        })
    );
}

#[test]
fn an_import_under_a_slug_that_is_taken_is_refused() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.import(&super::acme()).unwrap();
    let before = export(&acme);
    assert_eq!(authorizer.import(&super::acme()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(export(&acme), before);
}
