//! A guarded transaction does not loosen a separation of duties.

use super::*;

/// Ways to loosen the separation, with the text of the change.
const LOOSENED: &[(&str, Call)] = &[
    ("deleted separation `duties`", |tx| tx.delete_separation("duties")),
    ("changed separation `duties`: at most `1` → `2`", |tx| tx.separation("duties")?.set_at_most(2)?.done()),
    ("changed separation `duties`: roles removed `idle`", |tx| {
        tx.separation("duties")?.set_roles(["payer", "reader"])?;
        tx.delete_role("idle")
    }),
    ("changed separation `duties`: roles added `editor` and removed `reader`", |tx| {
        tx.separation("duties")?.set_roles(["payer", "idle", "editor"]).map(drop)
    }),
    ("changed separation `duties`: at most `1` → `2`, roles added `editor`", |tx| {
        tx.separation("duties")?.set_roles(["payer", "reader", "idle", "editor"])?;
        tx.separation("duties")?.set_at_most(2)?.done()
    }),
    // One that forbids the same takes its place. It is another one.
    ("deleted separation `duties`", |tx| {
        tx.delete_separation("duties")?;
        tx.create_separation("others", 1, ["payer", "reader", "idle"])?.done()
    }),
];

#[test]
fn r13_a_guarded_transaction_does_not_loosen_a_separation() {
    for (change, call) in LOOSENED {
        let acme = separated();
        let before = acme.revision();
        // This does not depend on the rights of the actor.
        for (actor, why) in
            [("root", ""), ("bob", ""), ("sue", " (who is suspended)"), ("nobody", " (who does not exist)")]
        {
            let error = guarded(&acme, actor, *call).unwrap_err();
            assert_eq!((error.kind(), error.name()), (ErrorKind::Escalation, Some(actor)));
            let [missing] = error.missing_rights() else { panic!("{change}: {error}") };
            assert_eq!((missing.kind, missing.entity), (RightKind::LooserSeparation, EntityKind::Separation));
            assert_eq!((&*missing.right, &*missing.name, &*missing.change), ("duties", "duties", *change));
            assert_eq!(missing.windows, ["always"]);
            let text = format!(
                "user `{actor}`{why} cannot loosen a separation of duties: looser separation `duties` ({change})"
            );
            assert_eq!(error.to_string(), text);
            assert_eq!(acme.revision(), before, "{change}: nothing has changed");
        }
        // A plan is judged alike.
        assert_eq!(acme.plan(|tx| call(tx.set_guard("root"))).unwrap_err().kind(), ErrorKind::Escalation);
        acme.update(*call).unwrap();
    }
}

#[test]
fn r13_a_guarded_transaction_may_tighten_a_separation() {
    let tightened: &[(&str, Call)] = &[
        ("a new one", |tx| tx.create_separation("others", 1, ["payer", "admin"])?.done()),
        ("more roles", |tx| tx.separation("duties")?.set_roles(["payer", "reader", "idle", "admin"]).map(drop)),
        ("its slug and description", |tx| {
            tx.separation("duties")?.set_slug("four-eyes")?.set_description("Four eyes.")?.done()
        }),
        ("fewer allowed", |tx| tx.separation("lax")?.set_at_most(1)?.done()),
        ("loosened and tightened again", |tx| {
            tx.separation("duties")?.set_at_most(2)?.set_at_most(1)?.set_roles(["payer", "idle"])?;
            tx.separation("duties")?.set_roles(["payer", "reader", "idle"]).map(drop)
        }),
        ("created and deleted again", |tx| {
            tx.create_separation("others", 1, ["payer", "admin"])?;
            tx.delete_separation("others")
        }),
        ("the tenant, and all that is in it", Tx::delete_tenant),
    ];
    for (what, call) in tightened {
        let acme = separated();
        acme.update(|tx| tx.create_separation("lax", 2, ["payer", "reader", "admin"])?.done()).unwrap();
        for actor in ["bob", "sue", "nobody"] {
            let _ = acme.plan(|tx| call(tx.set_guard(actor))).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        guarded(&acme, "bob", *call).unwrap();
    }
}

#[test]
fn r13_a_refusal_lists_rights_and_separations() {
    let acme = separated();
    let error = acme
        .update(|tx| {
            tx.set_guard("alice").user("bob")?.assign("payer")?;
            tx.separation("duties")?.set_slug("lax")?.set_at_most(2)?.done()
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "user `alice` cannot give rights that they do not hold, or loosen a separation of duties: `billing:pay` to user \
         `bob` (added assignment of `payer` to user `bob`); looser separation `duties` (changed separation `duties`: slug \
         `duties` → `lax`, at most `1` → `2`)"
    );
    // A violation of a separation is refused before that, with the paths.
    let error = guarded(&acme, "bob", |tx| tx.user("eve")?.join("staff")?.done()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SeparationOfDuties);
}

#[test]
fn r13_a_rebased_plan_may_tighten_a_separation() {
    let acme = separated();
    let tighten =
        |tx: &Tx| tx.set_guard("bob").separation("duties")?.set_roles(["payer", "reader", "idle", "admin"]).map(drop);
    let ((), plan) = acme.plan(tighten).unwrap();
    acme.update(|tx| tx.create_user("zed")?.done()).unwrap();
    acme.commit(acme.rebase(&plan).unwrap()).unwrap();
    assert_eq!(acme.now().separation("duties").unwrap().roles.len(), 4);
}

#[cfg(feature = "json")]
#[test]
fn a7_a_guarded_replacement_does_not_loosen_a_separation() {
    for (what, call) in LOOSENED {
        let (acme, after) = (separated(), separated());
        after.update(*call).unwrap();
        let document = after.snapshot().export().unwrap().without_ids();
        for actor in ["root", "nobody"] {
            let mut document = document.clone();
            let error = acme.replace(document.act_for("okta").unwrap().set_guard(actor)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Escalation, "{what}");
            assert!(error.missing_rights().iter().any(|right| right.kind == RightKind::LooserSeparation), "{error}");
        }
        acme.replace(document.clone().act_for("okta").unwrap()).unwrap();
    }
    // A document may bring a separation.
    let acme = acme();
    let mut document = separated().snapshot().export().unwrap().without_ids();
    acme.replace(document.act_for("okta").unwrap().set_guard("nobody")).unwrap();
    assert_eq!(acme.now().separations().len(), 1);
}
