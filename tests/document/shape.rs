//! A document with the wrong shape is an error with the line and column of the first fault, and never a panic.

use rolecall::{Document, ErrorKind, Result, error::MistakeCode};
use serde_json::json;

use super::{ACME, acme, document};

fn fault(json: &[u8]) -> String {
    let error = Document::from_json(json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Document, "{error}");
    let [fault] = error.mistakes() else { panic!("one fault, and not {:?}", error.mistakes()) };
    let is_syntax = serde_json::from_slice::<serde_json::Value>(json).is_err();
    assert!(is_syntax || fault.code == MistakeCode::Shape, "{fault}");
    assert_eq!(fault.pointer, "");
    fault.to_string()
}

/// A minimal document with this content.
fn with(field: &str) -> String {
    format!("{{\"format\": 1, \"tenant\": {{\"slug\": \"acme\"}},\n{field}}}")
}

#[test]
fn a_wrong_shape_is_refused_with_its_line_and_column() {
    let table = [
        (String::new(), "line 1, column 1: the document ends where a value is expected"),
        ("{".to_owned(), "line 1, column 1: the document ends inside an object"),
        ("\u{feff}{}".to_owned(), "line 1, column 2: missing field `format`"),
        ("{} {}".to_owned(), "line 1, column 2: missing field `format`"),
        (r#"{"format": 2}"#.to_owned(), "line 1, column 12: expected format 1, found format 2"),
        (r#"{"format": 1.0}"#.to_owned(), "line 1, column 14: expected the number 1, found the number 1.0"),
        (r#"{"format": 1}"#.to_owned(), "line 1, column 13: missing field `tenant`"),
        (r#"{"format": 1, "tenant": "a"}"#.to_owned(), "line 1, column 27: expected an object with a `slug`"),
        (r#"{"format": 1, "tenant": {}}"#.to_owned(), "line 1, column 26: missing field `slug`"),
        (r#"[1, {"slug": "a"}]"#.to_owned(), "line 1, column 1: expected an organisation document"),
        (r#""a""#.to_owned(), "line 1, column 3: expected an organisation document"),
        (with(r#""teams": []"#), "line 2, column 7: unknown field `teams`, expected one of `format`, `tenant`"),
        (with(r#""users": [], "users": []"#), "line 2, column 20: duplicate field `users`"),
        (with(r#""users": null"#), "line 2, column 13: expected an array, found null"),
        (with(r#""users": {}"#), "line 2, column 9: expected an array, found an object"),
        (with(r#""users": [1]"#), "line 2, column 11: expected a user's key"),
        (with(r#""users": [null]"#), "line 2, column 14: expected a user's key"),
        (with(r#""users": [["a"]]"#), "line 2, column 11: expected a user's key"),
        (with(r#""users": [{"key": "a", "id": null}]"#), "line 2, column 33: expected a string, found null"),
        (with(r#""users": [{"key": "a", "key": "a"}]"#), "line 2, column 28: duplicate field `key`"),
        (with(r#""users": [{"slug": "a"}]"#), "line 2, column 17: unknown field `slug`, expected one of `key`"),
        (
            with(r#""users": [{"key": "a", "status": "gone"}]"#),
            "line 2, column 40: unknown value `gone`, expected `active`",
        ),
        (
            with(r#""users": [{"key": "a", "status": {"active": null}}]"#),
            "line 2, column 33: expected a string, found an object",
        ),
        (with(r#""users": ["a",]"#), "line 2, column 15: trailing comma"),
        (with("\"users\": [\"a\nb\"]"), "line 3, column 1: control character"),
        (with(r#""users": ["\ud800"]"#), "line 2, column 18: unexpected end of hex escape"),
        (
            with(r#""roles": [{"slug": "a", "permissions": [{}]}]"#),
            "line 2, column 40: expected a string, found an object",
        ),
        (with(r#""removed_from_catalog": ["a"]"#), "line 2, column 28: expected an object with `kind`"),
        (
            with(r#""removed_from_catalog": [{"kind": "user"}]"#),
            "line 2, column 41: unknown value `user`, expected `permission` or `role`",
        ),
    ];
    let faults = table.iter().map(|(json, expected)| (fault(json.as_bytes()), expected));
    let wrong: Vec<String> =
        faults.filter(|(fault, expected)| !fault.starts_with(**expected)).map(|(fault, _)| fault).collect();
    assert_eq!(wrong, [""; 0]);
}

/// A message says what was expected before what was found, and names types as JSON names them.
#[test]
fn types_are_named_as_json_names_them() {
    let table = [
        (r#""users": [1.5]"#, "the number 1.5"),
        (r#""users": [-7]"#, "the number -7"),
        (r#""users": [true]"#, "true"),
        (r#""users": [null]"#, "null"),
        (r#""users": [[]]"#, "an array"),
        (r#""groups": [{"slug": "g", "members": {}}]"#, "an object"),
        (r#""groups": [{"slug": "g", "members": "x, expected y"}]"#, "the string \"x, expected y\""),
    ];
    for (field, found) in table {
        let text = fault(with(field).as_bytes());
        assert!(text.contains(": expected a") && text.ends_with(&format!(", found {found}")), "{text}");
    }
    assert_eq!(
        fault(br#"{"format": 1, "tenant": {"slug": "a"}, "users": ["a""#),
        "line 1, column 52: the document ends inside an array"
    );
}

/// The parser does not escape a name in its message. The name is quoted, whatever it contains.
#[test]
fn f10_an_unknown_name_cannot_forge_a_message() {
    let forged = "z`, expected one of `format`; document imported; unknown field `y";
    let text = fault(with(&format!("{forged:?}: 1")).as_bytes());
    let quoted = r"unknown field `z\u{60}, expected one of \u{60}format\u{60}; document imported; unknown field \u{60}y`, expected";
    assert!(text.contains(quoted), "{text}");
    let status = "active`; user `root` is active; `x";
    let text = fault(with(&format!(r#""users": [{{"key": "a", "status": {status:?}}}]"#)).as_bytes());
    assert!(
        text.contains(r"unknown value `active\u{60}; user \u{60}root\u{60} is active; \u{60}x`, expected"),
        "{text}"
    );
}

#[test]
fn invalid_utf_8_is_refused() {
    let json = with(r#""users": ["?"]"#).replace('?', "\u{80}").into_bytes();
    let latin: Vec<u8> = json.into_iter().filter(|byte| *byte != 0xc2).collect();
    assert!(fault(&latin).starts_with("line 2, column 12: invalid unicode code point"), "{}", fault(&latin));
    assert!(fault(b"\xff\xfe{}").starts_with("line 1, column 1: "));
}

#[test]
fn a_document_that_is_cut_off_anywhere_is_refused() {
    let json = ACME.trim_end().as_bytes();
    for end in 0..json.len() {
        assert!(Document::from_json(&json[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_document_with_any_byte_altered_is_read_or_refused() -> Result<()> {
    let authorizer = rolecall::blocking::Authorizer::in_memory();
    let tenant = authorizer.import(&acme())?;
    for place in 0..ACME.len() {
        for byte in [0, b'"', b'}', b'*', b'0', 0xff] {
            let mut json = ACME.as_bytes().to_vec();
            json[place] = byte;
            let replaced = Document::from_json(&json).and_then(|document| tenant.plan_replace(&document));
            assert!(replaced.is_ok() || replaced.is_err_and(|error| error.kind() == ErrorKind::Document));
        }
    }
    Ok(())
}

#[test]
fn a12_deep_json_is_an_error() {
    let deep = "[".repeat(200_000);
    let objects = r#"{"a":"#.repeat(200_000);
    for inside in [&deep, &objects] {
        fault(inside.as_bytes());
        for field in ["format", "tenant", "users", "removed_from_catalog", "unknown"] {
            fault(format!("{{\"{field}\": {inside}").as_bytes());
        }
        for list in ["permissions", "roles", "groups", "users", "removed_from_catalog"] {
            fault(with(&format!("\"{list}\": [{inside}")).as_bytes());
            for field in ["slug", "key", "id", "name", "permissions", "parents", "members", "roles", "unknown"] {
                fault(with(&format!("\"{list}\": [{{\"{field}\": {inside}")).as_bytes());
            }
        }
    }
}

#[test]
fn a_parse_error_shows_no_control_characters_and_not_the_whole_document() {
    let json = with(&format!("\"\\u001b[31m{}\": 1", "x".repeat(10_000)));
    let fault = fault(json.as_bytes());
    assert!(fault.len() < 500 && !fault.contains('\u{1b}'), "{fault}");
}

#[test]
fn json_is_canonical_whatever_was_read() {
    let shuffled = json!({
        "users": [{"status": "active", "key": "b"}, {"key": "a", "roles": [
            {"role": "r", "until": "2027-01-31T01:00:00+01:00"}, "q"]}],
        "roles": [{"slug": "r", "name": "r", "description": "", "permissions": ["x:*", "p"]}, {"slug": "q"}],
        "permissions": [{"slug": "p", "category": "P"}], "removed_from_catalog": [], "groups": [],
        "tenant": {"name": "acme", "slug": "acme"}, "format": 1,
    });
    let canonical = document(&shuffled).to_json();
    assert_eq!(
        canonical,
        r#"{
  "format": 1,
  "tenant": {
    "slug": "acme"
  },
  "permissions": [
    {
      "slug": "p",
      "category": "P"
    }
  ],
  "roles": [
    "q",
    {
      "slug": "r",
      "permissions": [
        "p",
        "x:*"
      ]
    }
  ],
  "users": [
    {
      "key": "a",
      "roles": [
        "q",
        {
          "role": "r",
          "until": "2027-01-31T00:00:00Z"
        }
      ]
    },
    "b"
  ]
}
"#
    );
    let again = Document::from_json(canonical.as_bytes()).unwrap();
    assert_eq!((again.to_json(), &again), (canonical, &document(&shuffled)));
}

#[test]
fn a_document_passes_through_serde() {
    let value = serde_json::to_value(acme()).unwrap();
    assert_eq!(serde_json::from_value::<Document>(value).unwrap(), acme());
    assert_eq!(
        format!("{:?}", acme()),
        "Document { slug: \"acme-corp\", permissions: 5, roles: 4, groups: 3, users: 4, separations: 0, assertions: 0, .. }"
    );
}

/// Editors write a byte-order mark. In UTF-8 it is skipped, and places do not count it.
#[test]
fn f17_a_document_with_a_byte_order_mark_is_read() {
    let with_mark = |text: &str| Document::from_json(format!("\u{feff}{text}").as_bytes());
    assert_eq!(with_mark(ACME).unwrap(), acme());
    let places = [with_mark("{]"), Document::from_json(b"{]")].map(|read| read.unwrap_err().mistakes().to_vec());
    assert_eq!(places[0], places[1]);
    assert!(with_mark(&format!("\u{feff}{ACME}")).is_err(), "one mark");
    for mark in [[0xFF, 0xFE], [0xFE, 0xFF]] {
        let error = Document::from_json(&[&mark[..], b"{\0"].concat()).unwrap_err();
        assert!(error.mistakes()[0].message.contains("expected UTF-8, found UTF-16"), "{error}");
    }
}
