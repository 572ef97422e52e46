//! Every broken rule is told, all at once, each with its place as a JSON pointer.

use rolecall::ErrorKind;
use rolecall::blocking::Authorizer;
use rolecall::catalog::Catalog;
use serde_json::{Value, json};

use super::{authorizer, document, export, first_release, second_release};

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
const OTHER: &str = "0f3f1f8e-3f5e-4b0a-9d2c-1a2b3c4d5e6f";

/// The mistakes of a document, whose places are all in it.
fn told(catalog: &Catalog, json: &Value) -> Vec<String> {
    let error = authorizer(catalog).0.import(&document(json)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Document, "{error}");
    for line in error.details() {
        let (pointer, _) = line.split_once(": ").unwrap();
        assert!(json.pointer(pointer).is_some(), "{line}");
    }
    error.details().to_vec()
}

/// A tenant `a` with these lists, and the mistakes in it.
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
fn r10_malformed_texts_are_told_where_they_stand() {
    const SLUG: &str = "expected 1 to 255 visible ASCII characters other than `*`";
    const NAME: &str = "expected 1 to 255 bytes without control characters";
    const TEXT: &str = "expected at most 4,096 bytes, no control characters but newline and tab";
    let line = |place: &str, what: &str| format!("{place}: {what}");
    let table = [
        (
            json!({"tenant": {"slug": "Acme"}}),
            line("/tenant/slug", "`Acme` is no tenant slug: expected 1 to 63 characters of a-z, 0-9 and `-`"),
        ),
        (json!({"tenant": {"slug": "a", "name": ""}}), line("/tenant/name", &format!("`` is no name: {NAME}"))),
        (json!({"permissions": ["a", "b c"]}), line("/permissions/1", &format!("`b c` is no slug: {SLUG}"))),
        (json!({"permissions": [{"slug": "b*"}]}), line("/permissions/0/slug", &format!("`b*` is no slug: {SLUG}"))),
        (
            json!({"permissions": [{"slug": "b", "name": "\n"}]}),
            line("/permissions/0/name", &format!("`\\n` is no name: {NAME}")),
        ),
        (
            json!({"permissions": [{"slug": "b", "category": ""}]}),
            line("/permissions/0/category", &format!("`` is no name: {NAME}")),
        ),
        (
            json!({"permissions": [{"slug": "b", "description": "\r"}]}),
            line("/permissions/0/description", &format!("`\\r` is no description: {TEXT}")),
        ),
        (json!({"roles": [""]}), line("/roles/0", &format!("`` is no slug: {SLUG}"))),
        (json!({"roles": [{"slug": "é"}]}), line("/roles/0/slug", &format!("`é` is no slug: {SLUG}"))),
        (
            json!({"roles": [{"slug": "r", "permissions": ["*********"]}]}),
            line(
                "/roles/0/permissions/0",
                "`*********` is no pattern: expected 1 to 255 visible ASCII characters with 1 to 8 stars",
            ),
        ),
        (
            json!({"groups": [{"slug": "g", "name": "\u{85}"}]}),
            line("/groups/0/name", &format!("`\\u{{85}}` is no name: {NAME}")),
        ),
        (
            json!({"users": ["\t"]}),
            line("/users/0", "`\\t` is no user key: expected 1 to 320 bytes without control characters"),
        ),
        (
            json!({"users": [{"key": "u", "id": ID.to_uppercase().replace('-', "")}]}),
            line(
                "/users/0/id",
                "`67E5504410B1426F9247BB680E5FE0C8` is no id: expected a UUID, like 67e55044-10b1-426f-9247-bb680e5fe0c8",
            ),
        ),
        (
            json!({"removed_from_catalog": [{"kind": "role", "slug": "x y", "id": ID}]}),
            line("/removed_from_catalog/0/slug", &format!("`x y` is no slug: {SLUG}")),
        ),
        (
            json!({"removed_from_catalog": [{"kind": "role", "slug": "x", "id": "x"}]}),
            line(
                "/removed_from_catalog/0/id",
                "`x` is no id: expected a UUID, like 67e55044-10b1-426f-9247-bb680e5fe0c8",
            ),
        ),
    ];
    judge(&Catalog::empty(), table.iter().map(|(lists, mistake)| row(lists.clone(), &[mistake])));
}

#[test]
fn r3_windows_are_judged() {
    const INSTANT: &str = "expected RFC 3339 with an offset, like 2027-01-31T00:00:00Z";
    let member = |member: Value| json!({"users": ["u"], "groups": [{"slug": "g", "members": [member]}]});
    judge(
        &Catalog::empty(),
        [
            row(
                member(json!({"user": "u", "until": "tomorrow"})),
                &[&format!("/groups/0/members/0/until: `tomorrow` is no instant: {INSTANT}")],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00"})),
                &[&format!("/groups/0/members/0/from: `2027-01-01T00:00:00` is no instant: {INSTANT}")],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00.0000001Z"})),
                &[
                    "/groups/0/members/0/from: `2027-01-01T00:00:00.0000001Z` is no instant: expected whole microseconds and no leap second",
                ],
            ),
            row(
                member(json!({"user": "u", "from": "2027-01-01T00:00:00Z", "until": "2027-01-01T01:00:00+01:00"})),
                &[
                    "/groups/0/members/0: `from 2027-01-01T00:00:00Z until 2027-01-01T00:00:00Z` is no window: expected `from` before `until`",
                ],
            ),
            row(
                json!({"roles": ["r"], "users": [{"key": "u", "roles": [{"role": "r", "from": "x", "until": "y"}]}]}),
                &[
                    &format!("/users/0/roles/0/from: `x` is no instant: {INSTANT}"),
                    &format!("/users/0/roles/0/until: `y` is no instant: {INSTANT}"),
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
                &["/permissions/1/slug: the permission `p` stands twice; first at /permissions/0"],
            ),
            row(json!({"roles": ["r", "R", "r"]}), &["/roles/2: the role `r` stands twice; first at /roles/0"]),
            row(json!({"groups": ["g", "g"]}), &["/groups/1: the group `g` stands twice; first at /groups/0"]),
            row(json!({"users": [{"key": "u"}, "u"]}), &["/users/1: the user `u` stands twice; first at /users/0"]),
            row(
                json!({"permissions": ["p"], "roles": [{"slug": "r", "permissions": ["p", "p*", "p", "p*"]}]}),
                &[
                    "/roles/0/permissions/2: the permission `p` stands twice in this list",
                    "/roles/0/permissions/3: the pattern `p*` stands twice in this list",
                ],
            ),
            row(
                json!({"roles": ["r", {"slug": "s", "includes": ["r", "r"]}]}),
                &["/roles/1/includes/1: the role `r` stands twice in this list"],
            ),
            row(
                json!({"groups": ["g", {"slug": "h", "parents": ["g", "g"]}]}),
                &["/groups/1/parents/1: the group `g` stands twice in this list"],
            ),
            row(
                json!({"roles": ["r"], "groups": [{"slug": "g", "roles": ["r", {"role": "r", "until": "2027-01-01T00:00:00Z"}]}]}),
                &["/groups/0/roles/1/role: the role `r` stands twice in this list"],
            ),
            row(
                json!({"users": ["u"], "groups": [{"slug": "g", "members": [{"user": "u"}, "u"]}]}),
                &["/groups/0/members/1: the user `u` stands twice in this list"],
            ),
            row(
                json!({"roles": ["r"], "users": [{"key": "u", "roles": ["r", "r"]}]}),
                &["/users/0/roles/1: the role `r` stands twice in this list"],
            ),
            row(
                json!({"users": [{"key": "u", "id": ID}, {"key": "v", "id": ID}]}),
                &[&format!("/users/1/id: the id {ID} stands twice; first at /users/0/id")],
            ),
            row(
                json!({"groups": [{"slug": "g", "id": ID}], "roles": [{"slug": "r", "id": ID}]}),
                &[&format!("/groups/0/id: the id {ID} stands twice; first at /roles/0/id")],
            ),
        ],
    );
}

#[test]
fn r6_a_reference_names_what_is_there() {
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"users": ["alice"], "groups": ["f", {"slug": "g", "members": ["alcie", {"user": "bob"}]}]}),
                &[
                    "/groups/1/members/0: there is no user `alcie` in this document; did you mean `alice`?",
                    "/groups/1/members/1/user: there is no user `bob` in this document",
                ],
            ),
            row(
                json!({"permissions": ["posts:read", "posts:write"], "roles": [{"slug": "r", "permissions": ["post:read"]}]}),
                &[
                    "/roles/0/permissions/0: there is no permission `post:read` in this document; did you mean `posts:read`?",
                ],
            ),
            row(
                json!({"roles": [{"slug": "editor", "includes": ["edtior"]}]}),
                &["/roles/0/includes/0: there is no role `edtior` in this document; did you mean `editor`?"],
            ),
            row(
                json!({"groups": [{"slug": "g", "parents": ["a b"], "roles": ["x"]}]}),
                &[
                    "/groups/0/parents/0: there is no group `a b` in this document",
                    "/groups/0/roles/0: there is no role `x` in this document",
                ],
            ),
            row(
                json!({"users": [{"key": "u", "roles": [{"role": "x"}]}]}),
                &["/users/0/roles/0/role: there is no role `x` in this document"],
            ),
        ],
    );
    judge(
        &first_release(),
        [row(
            json!({"users": [{"key": "u", "roles": ["clork", "bookkeeper"]}]}),
            &[
                "/users/0/roles/0: there is no role `clork` in this document or the catalog; did you mean `clerk`?",
                "/users/0/roles/1: there is no role `bookkeeper` in this document or the catalog",
            ],
        )],
    );
}

#[test]
fn r7_every_cycle_is_shown() {
    judge(
        &Catalog::empty(),
        [
            row(
                json!({"groups": [{"slug": "a", "parents": ["a"]}]}),
                &["/groups/0/parents/0: this makes a cycle: `a` > `a`"],
            ),
            row(
                json!({"groups": [{"slug": "a", "parents": ["b"]}, {"slug": "b", "parents": ["d", "a"]}, {"slug": "c", "parents": ["d"]},
                              {"slug": "d", "parents": ["c"]}]}),
                &[
                    "/groups/2/parents/0: this makes a cycle: `d` > `c` > `d`",
                    "/groups/1/parents/1: this makes a cycle: `a` > `b` > `a`",
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "includes": ["s"]}, {"slug": "s", "includes": ["r"]}]}),
                &["/roles/1/includes/0: this makes a cycle: `r` > `s` > `r`"],
            ),
        ],
    );
    let groups: Vec<Value> =
        (0..100_000).map(|n| json!({"slug": n.to_string(), "parents": [((n + 1) % 100_000).to_string()]})).collect();
    let told = told(&Catalog::empty(), &json!({"format": 1, "tenant": {"slug": "a"}, "groups": groups}));
    assert!(
        told[0].starts_with("/groups/99999/parents/0: this makes a cycle: `0` > `1`") && told[0].len() < 500,
        "{told:?}"
    );
}

#[test]
fn r9_what_the_catalog_has_is_referred_to_and_not_listed() {
    let catalog = first_release();
    let (clerk, read) = (catalog.roles()[0].id(), catalog.permissions()[0].id());
    judge(
        &catalog,
        [
            row(
                json!({"permissions": ["billing:read"]}),
                &[
                    "/permissions/0: the permission `billing:read` is the catalog's: it can be referred to, and not listed",
                ],
            ),
            row(
                json!({"permissions": [{"slug": "billing:all"}]}),
                &["/permissions/0/slug: the permission `billing:all` is one that the catalog has retired"],
            ),
            row(
                json!({"roles": ["bookkeeper", "clerk"]}),
                &[
                    "/roles/0: the role `bookkeeper` is one that the catalog has retired",
                    "/roles/1: the role `clerk` is the catalog's: it can be referred to, and not listed",
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "id": clerk}], "users": [{"key": "u", "id": read}]}),
                &[
                    "/roles/0/id: the id is that of the catalog's role, and not of a role of the tenant's own",
                    "/users/0/id: the id is that of the catalog's permission, and not of a user of the tenant's own",
                ],
            ),
            row(
                json!({"roles": [{"slug": "r", "includes": ["clerk", "clerk"], "permissions": ["billing:read", "billing:read"]}]}),
                &[
                    "/roles/0/permissions/1: the permission `billing:read` stands twice in this list",
                    "/roles/0/includes/1: the role `clerk` stands twice in this list",
                ],
            ),
        ],
    );
}

#[test]
fn r9_what_has_removed_is_called_by_a_name_of_its_own() {
    let catalog = second_release();
    let clerk = catalog.roles()[0].id().to_string();
    let removed_from_catalog = |kind: &str, slug: &str, id: &str| json!({"kind": kind, "slug": slug, "id": id});
    judge(
        &catalog,
        [
            row(
                json!({"roles": ["x"], "removed_from_catalog": [removed_from_catalog("role", "x", ID)]}),
                &["/removed_from_catalog/0/slug: another role is called `x`, in this document or the catalog"],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "billing-clerk", ID)]}),
                &[
                    "/removed_from_catalog/0/slug: another role is called `billing-clerk`, in this document or the catalog",
                ],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "x", ID), removed_from_catalog("role", "x", OTHER)]}),
                &["/removed_from_catalog/1/slug: another role is called `x`, in this document or the catalog"],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "x", ID), removed_from_catalog("permission", "x", ID)]}),
                &[&format!(
                    "/removed_from_catalog/1/id: the id {ID} stands twice; first at /removed_from_catalog/0/id"
                )],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("permission", "x", &clerk)]}),
                &["/removed_from_catalog/0/id: the id is that of the catalog's role"],
            ),
            row(
                json!({"removed_from_catalog": [removed_from_catalog("role", "old", &clerk)], "users": [{"key": "u", "roles": ["old", "billing-clerk"]}]}),
                &["/users/0/roles/1: the role `billing-clerk` stands twice in this list"],
            ),
        ],
    );
}

#[test]
fn r12_a_replace_is_judged_against_the_tenant() {
    let (authorizer, _) = authorizer(&first_release());
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    let role = acme.update(|tx| tx.create_role("editor")?.id()).unwrap().value;
    let judge = |json: Value, mistakes: &[&str]| {
        let error = acme.plan_replace(&document(&json)).unwrap_err();
        assert_eq!(
            (error.kind(), error.details()),
            (ErrorKind::Document, mistakes.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>().as_slice())
        );
    };
    judge(
        json!({"format": 1, "tenant": {"slug": "other"}}),
        &["/tenant/slug: expected `acme`, which is the slug of the tenant to be replaced"],
    );
    judge(
        json!({"format": 1, "tenant": {"slug": "acme"}, "groups": [{"slug": "g", "id": role}]}),
        &["/groups/0/id: the id is that of a role, and not of a group of the tenant's own"],
    );
    judge(
        json!({"format": 1, "tenant": {"slug": "acme"}, "removed_from_catalog": [{"kind": "role", "slug": "x", "id": role}]}),
        &["/removed_from_catalog/0/id: the id is that of a role of the tenant's own"],
    );
    assert_eq!(acme.revision().number(), 2);
}

#[test]
fn all_mistakes_are_told_at_once_and_nothing_is_created() {
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
fn a_hundred_mistakes_are_told_and_the_rest_counted() {
    let permissions: Vec<String> =
        (0..20_000).map(|n| format!("some-long-prefix-of-a-service.resource-{n}.get")).collect();
    let grants: Vec<String> = (0..1_000).map(|n| format!("some-long-prefix-of-a-service.resource{n}.get")).collect();
    let json = json!({"format": 1, "tenant": {"slug": "a"}, "permissions": permissions, "roles": [{"slug": "r", "permissions": grants}]});
    let told = import_mistakes(&json);
    assert_eq!((told.len(), told[100].as_str()), (101, "and 900 more"));
    assert!(told[99].starts_with("/roles/0/permissions/99: ") && told[99].contains("did you mean"), "{}", told[99]);
}

fn import_mistakes(json: &Value) -> Vec<String> {
    let document = document(json);
    let error = Authorizer::in_memory().import(&document).unwrap_err();
    error.details().to_vec()
}

#[test]
fn an_import_under_a_slug_that_is_taken_is_refused() {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.import(&super::acme()).unwrap();
    let before = export(&acme);
    assert_eq!(authorizer.import(&super::acme()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(export(&acme), before);
}
