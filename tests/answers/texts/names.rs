//! Names and keys in errors: earlier slugs, look-alikes, suggestions, and names given as text.

use super::*;

#[test]
fn f7_an_earlier_slug_of_the_catalog_names_the_present_one() {
    let acme = acme();
    assert_eq!(acme.decide("alice@acme.com", "leases:read"), Decision::Denied(Reason::PermissionRenamed));
    let explanation = acme.explain("alice@acme.com", "leases:read");
    assert_eq!(explanation.suggestions(), ["rentals:read"]);
    assert_eq!(explanation.did_you_mean().as_deref(), Some("did you mean `rentals:read`?"));
    let error = failed(&acme, |tx| tx.role("agent")?.done());
    assert_eq!(error.suggestions(), ["broker"]);
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!(
        (json["detail"].as_str(), json["advice"].as_str()),
        (Some("role `agent` not found"), Some("the catalog has renamed it to `broker`"),)
    );
    // The reason alone is a text as well.
    assert_eq!(explanation.decision().to_string(), "denied: the catalog has renamed the permission");
    // An assertion of a file that was written for an earlier release.
    let assertion = rolecall::assertions::Assertion::only("leases:read").with_groups(["stuff"]);
    let failures = rolecall::assertions::Assertions::new([assertion]).check(&acme.now());
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "assertion 1: permission `leases:read` not found; the catalog has renamed it to `rentals:read`",
            "assertion 1: group `stuff` not found; did you mean `staff`?",
        ]
    );
    // So does one that a tenant would carry.
    let carried =
        failed(&acme, |tx| tx.create_assertion("a", &rolecall::assertions::Assertion::only("leases:read"))?.done());
    assert_eq!(carried.to_string(), "permission `leases:read` not found; the catalog has renamed it to `rentals:read`");
}

/// A permission that the tenant still grants, and the catalog no longer has.
#[test]
fn f7_a_permission_that_left_the_catalog_says_so() {
    let store = rolecall::store::MemoryStore::default();
    let old = Catalog::new(&Definition { permissions: &[PermissionDef::new("fax:send")], ..Definition::default() });
    let first = Authorizer::builder().store(store.clone()).catalog(&old.unwrap()).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("sender")?.grant("fax:send")?;
        tx.create_user("alice")?.assign("sender")?.done()
    })
    .unwrap();
    let acme = Authorizer::builder().store(store).build().tenant("acme").unwrap();
    let explanation = acme.explain("alice", "fax:send");
    assert_eq!(explanation.to_string(), "denied: permission `fax:send` not found; it was removed from the catalog");
    let error = failed(&acme, |tx| tx.create_role("other")?.grant("fax:send")?.done());
    assert_eq!(error.to_string(), "permission `fax:send` not found: it was removed from the catalog");
}

/// A slug can be a UUID. That of a permission of the catalog was meant as a slug, also after the catalog has lost it.
#[test]
fn f20_a_uuid_that_the_catalog_has_had_as_a_slug_was_not_passed_as_an_id() {
    const LEFT: &str = "0f3f1f8e-3f5e-4b0a-9d2c-1a2b3c4d5e6f";
    const RETIRED: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let store = rolecall::store::MemoryStore::default();
    let old = Catalog::new(&Definition { permissions: &[PermissionDef::new(LEFT)], ..Definition::default() });
    let first = Authorizer::builder().store(store.clone()).catalog(&old.unwrap()).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_role("sender")?.grant(LEFT)?;
        tx.create_user("alice")?.done()
    })
    .unwrap();
    assert_eq!(acme.decide("alice", RETIRED), Decision::Denied(Reason::UuidAsSlug));
    let new = Catalog::new(&Definition { retired_permissions: &[RETIRED], ..Definition::default() }).unwrap();
    let acme = Authorizer::builder().store(store).catalog(&new).build().tenant("acme").unwrap();
    for slug in [LEFT, RETIRED] {
        assert_eq!(acme.decide("alice", slug), Decision::Denied(Reason::UnknownPermission));
        assert_eq!(acme.explain("alice", slug).advice(), Some("it was removed from the catalog"));
    }
}

#[test]
fn f8_f29_similar_users_are_offered_to_those_who_ask_and_are_in_no_text() {
    let acme = acme();
    let explanation = acme.explain("alcie@acme.com", "posts:read");
    let error = failed(&acme, |tx| tx.user("alcie@acme.com")?.done());
    assert_eq!(explanation.suggestions(), ["alice@acme.com", "dave@acme.com"]);
    assert_eq!(error.suggestions(), explanation.suggestions());
    assert_eq!(error.did_you_mean(), explanation.did_you_mean());
    let texts = [
        error.to_string(),
        format!("{error:?}"),
        serde_json::to_string(&error).unwrap(),
        explanation.to_string(),
        format!("{explanation:?}"),
        serde_json::to_string(&explanation).unwrap(),
    ];
    for text in texts {
        assert!(!text.contains("alice") && !text.contains("dave"), "{text}");
    }
}

/// An error describes the transaction that it was made in, also what that transaction has changed before it.
#[test]
fn f1_suggestions_are_those_of_the_moment_of_the_error() {
    let acme = acme();
    let kept = std::cell::RefCell::new(Vec::new());
    let result: Result<_> = acme.update(|tx| {
        tx.create_group("night-shift")?;
        let error = tx.group("night-shft").unwrap_err();
        tx.group("night-shift")?.set_slug("late-shift")?;
        kept.borrow_mut().push(error.clone());
        kept.borrow_mut().push(error);
        kept.borrow_mut().push(tx.group("night-shft").unwrap_err());
        Ok(())
    });
    result.unwrap();
    let suggestions: Vec<Vec<String>> = kept.borrow().iter().map(|error| error.suggestions().to_vec()).collect();
    assert_eq!(suggestions, [vec!["night-shift".to_owned()], vec!["night-shift".to_owned()], Vec::new()]);
}

#[test]
fn f9_a_user_whose_key_looks_the_same_is_shown_with_code_points() {
    let acme = acme();
    acme.update(|tx| tx.create_user("j\u{fc}rgen")?.done()).unwrap();
    let explanation = acme.explain("ju\u{308}rgen", "posts:read");
    assert_eq!(explanation.suggestions(), ["j\u{fc}rgen"]);
    let question = "did you mean `j\u{fc}rgen` (with U+00FC for U+0075 U+0308)?";
    assert_eq!(explanation.did_you_mean().as_deref(), Some(question));
}

#[test]
fn f11_a_derived_slug_that_exists_names_the_name() {
    let acme = acme();
    acme.update(|tx| tx.create_group_with_name("Café")?.done()).unwrap();
    for name in ["Cafè", "Cafe"] {
        let error = failed(&acme, |tx| tx.create_group_with_name(name)?.done());
        assert_eq!(
            (error.kind(), error.name(), error.derived_from()),
            (ErrorKind::AlreadyExists, Some("cafe"), Some(name))
        );
    }
    let authorizer = Authorizer::in_memory();
    authorizer.create_tenant_with_name("Café").unwrap();
    let error = authorizer.create_tenant_with_name("Cafè").unwrap_err();
    assert_eq!(error.to_string(), "tenant `cafe` already exists; the slug was derived from the name `Cafè`");
    assert_eq!(serde_json::to_value(&error).unwrap()["derived_from"], "Cafè");
}

#[test]
fn f20_names_are_accepted_in_every_type_of_text() {
    let acme = acme();
    let now = acme.now();
    let (alice, write) = ("alice@acme.com", "posts:write");
    assert!(now.check(alice, write) && now.check(&alice, &write) && now.check(&&alice, write));
    assert!(now.check(alice.to_owned(), write.to_owned()) && now.check(&alice.to_owned(), &write.to_owned()));
    assert!(now.check(Cow::Borrowed(alice), Cow::Borrowed(write)));
    assert!(now.check(&Cow::<str>::Owned(alice.to_owned()), &Cow::<str>::Owned(write.to_owned())));
    assert!(now.check(Arc::<str>::from(alice), Arc::<str>::from(write)));
    assert!(now.check(&Arc::<str>::from(alice), &Arc::<str>::from(write)));
    assert!(now.check(Rc::<str>::from(alice), Rc::<str>::from(write)));
    assert!(now.check(Box::<str>::from(alice), Box::<str>::from(write)));
    assert!(now.check(&Box::<str>::from(alice), &Box::<str>::from(write)));
    assert!(now.check(UserKey::new(alice).unwrap(), Slug::new(write).unwrap()));
    assert!(now.check(&&UserKey::new(alice).unwrap(), &Slug::new(write).unwrap()));
    assert!(now.group(Arc::<str>::from("staff")).is_some() && now.group(&&Cow::Borrowed("staff")).is_some());
    assert!(now.role(Box::<str>::from("editor")).is_some() && now.role(&Rc::<str>::from("editor")).is_some());
    acme.update(|tx| {
        let reader = tx.role(Cow::Borrowed("reader"))?;
        reader.grant(Cow::Borrowed("posts:*"))?.grant(Arc::<str>::from("posts:write"))?;
        reader
            .revoke(Box::<str>::from("posts:write"))?
            .revoke(&Cow::Borrowed("posts:*"))?
            .revoke(Rc::<str>::from("posts:*"))?;
        reader.grant(&"posts:read")?.done()
    })
    .unwrap();
}

/// An id of the tenant as text, or any other UUID: the decision says that it was looked up as a key or a slug.
#[test]
fn f20_a_decision_says_that_an_id_was_passed_as_text() {
    let acme = acme();
    let now = acme.now();
    let (alice, write) = (now.user("alice@acme.com").unwrap().id, now.permission("posts:write").unwrap().record.id);
    for id in [alice.as_uuid(), write.as_uuid(), ID] {
        let (user, permission) = (Decision::Denied(Reason::UuidAsKey), Decision::Denied(Reason::UuidAsSlug));
        for text in [id.to_string(), id.simple().to_string().to_uppercase()] {
            assert_eq!(acme.decide(&text, "posts:write"), user);
            assert_eq!(now.narrowed(&text, ["editor"]).decide("posts:write"), user);
            assert_eq!(now.narrowed(&text, ["editor"]).explain("posts:write").decision(), user);
            assert_eq!(acme.decide("alice@acme.com", &text), permission);
            assert_eq!(acme.explain("alice@acme.com", &text).decision(), permission);
            assert!(!acme.check(&text, "posts:write") && !acme.check("alice@acme.com", &text));
        }
    }
    // The user is looked up first. A UUID that is passed as an id is not text.
    assert_eq!(acme.decide(ID.to_string(), ID.to_string()), Decision::Denied(Reason::UuidAsKey));
    assert_eq!(acme.decide(UserId::from_uuid(ID), "posts:write"), Decision::Denied(Reason::UnknownUser));
    assert_eq!(acme.decide("alice@acme.com", ID), Decision::Denied(Reason::UnknownPermission));
    assert!(acme.decide(alice, write).is_allowed());
    let texts = [Reason::UuidAsKey, Reason::UuidAsSlug].map(|reason| reason.to_string());
    let expected = [
        "the user is unknown; the text is a UUID and was looked up as a key, not as an id",
        "the permission is unknown; the text is a UUID and was looked up as a slug, not as an id",
    ];
    assert_eq!(texts, expected);
    let json = |reason| serde_json::to_value(Decision::Denied(reason)).unwrap()["denied"].clone();
    assert_eq!([json(Reason::UuidAsKey), json(Reason::UuidAsSlug)], ["uuid_as_key", "uuid_as_slug"]);
}

/// The type decides, so an id as text is a key. The explanation says so, whether or not the id exists.
#[test]
fn f20_an_id_that_was_passed_as_text_is_noticed() {
    let acme = acme();
    let alice = acme.now().user("alice@acme.com").unwrap().id;
    for id in [alice.as_uuid(), ID] {
        let explanation = acme.explain(id.to_string(), "posts:write");
        assert_eq!(explanation.decision(), Decision::Denied(Reason::UuidAsKey));
        assert!(explanation.advice().unwrap().ends_with("to look up an id, pass a `UserId`"));
        assert_eq!(serde_json::to_value(&explanation).unwrap()["advice"].as_str(), explanation.advice());
    }
    assert_eq!(acme.explain(alice, "posts:write").advice(), None);
    // A key may be a UUID.
    acme.update(|tx| tx.create_user(&ID.to_string())?.done()).unwrap();
    assert_eq!(acme.decide(ID.to_string(), "posts:write"), Decision::Denied(Reason::NoPath));
}

#[test]
fn f21_a_pattern_cannot_be_asked_and_one_that_matches_nothing_is_noticed() {
    let acme = acme();
    for pattern in ["posts:*", "gests.*", "*"] {
        let decision = acme.decide("alice@acme.com", pattern);
        assert_eq!(decision, Decision::Denied(Reason::PatternAsked));
        assert_eq!(
            decision.to_string(),
            "denied: the question has a pattern, which only a grant accepts, in place of a permission"
        );
    }
    let grant = |pattern: &'static str| {
        let updated = acme.update(|tx| tx.role("reader")?.grant(pattern)?.done()).unwrap();
        updated.warnings
    };
    let warning = |pattern: &str| Warning::PatternMatchesNothing {
        role: "reader".parse().unwrap(),
        pattern: pattern.parse().unwrap(),
    };
    for (pattern, matches) in
        [("posts:*", true), ("*:read", true), ("rental*", true), ("gests.*", false), ("*:raed", false)]
    {
        assert_eq!(grant(pattern), if matches { vec![] } else { vec![warning(pattern)] }, "{pattern}");
    }
    assert_eq!(grant("gests.*"), [], "nothing was changed");
    // The order of calls does not matter: what counts is the state after the update.
    let updated = acme.update(|tx| {
        tx.role("reader")?.grant("guests.*")?;
        tx.create_permission("guests.invite")?.done()
    });
    assert_eq!(updated.unwrap().warnings, []);
    let ((), plan) = acme.plan(|tx| tx.create_role("host")?.grant("geusts.*")?.done()).unwrap();
    let [warning] = &plan.warnings()[..] else { panic!("one warning") };
    assert_eq!(warning.to_string(), "role `host` grants `geusts.*`, which matches no permission");
}
