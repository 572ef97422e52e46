//! Deletions that take longer than their answer: the answer, the users who may ask for the outcome, and the outcome.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rolecall::Tx;
use rolecall::snapshot::External;
use rolecall::store::conformance::{Call as StoreCall, Fault};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Answer, Portal};

/// Somebody else's transaction. It has the tenant's turn to write until it is opened, and commits this change then.
struct Gate {
    closed: Sender<()>,
    task: JoinHandle<()>,
}

impl Gate {
    async fn close(portal: &Portal, change: impl Fn(&Tx) -> rolecall::Result<()> + Send + 'static) -> Self {
        let (acme, runtime) = (portal.acme.clone(), tokio::runtime::Handle::current());
        let (closed, opened) = channel::<()>();
        let (begin, mut has_begun) = tokio::sync::mpsc::channel(1);
        let task = tokio::task::spawn_blocking(move || {
            let update = acme.update(|tx| {
                // The turn is taken, until the sender is dropped. Nothing is sent.
                begin.try_send(()).ok();
                opened.recv().ok();
                change(tx)
            });
            runtime.block_on(update).unwrap();
        });
        has_begun.recv().await.unwrap();
        Self { closed, task }
    }

    async fn open(self) {
        drop(self.closed);
        self.task.await.unwrap();
    }
}

/// A portal with a group and a role that 250 users have, and their paths.
async fn with_many() -> (Portal, String, String) {
    let portal = Portal::start().await;
    let group = portal.group("staff").await;
    let filled = portal.acme.update(|tx| {
        tx.create_role("parker")?.grant("billing:pay")?;
        tx.group("staff")?.assign("editor")?;
        for n in 0..250 {
            tx.create_user(&format!("user-{n:03}"))?.join("staff")?.assign("parker")?;
        }
        tx.create_role("role-manager")?.grant("roles:*")?;
        tx.user("lead")?.assign("role-manager")?.done()
    });
    filled.await.unwrap();
    let role = portal.role("parker");
    (portal, format!("/groups/{group}"), format!("/roles/{role}"))
}

fn nothing(tx: &Tx) -> rolecall::Result<()> {
    tx.user("bob")?.set_name(Some("Bob"))?.done()
}

impl Portal {
    /// The answer of the page of an operation when it is done.
    async fn page_outcome(&self, location: &str, by: &str) -> Answer {
        self.until(|| self.at("GET", location).by(by), |answer| answer.header("refresh").is_empty()).await
    }

    /// Sends the form that deletes, after its preview.
    async fn save_deletion(&self, path: &str, by: &str) -> Answer {
        let page = format!("{PAGES}{path}");
        let form = "do=delete&version=any";
        let preview = self.at("POST", &page).by(by).form(&format!("{form}&step=preview")).send().await;
        let (_, rest) = preview.is(200).body.split_once("name=\"seen\" value=\"").unwrap();
        let (seen, _) = rest.split_once('"').unwrap();
        self.at("POST", &page).by(by).form(&format!("{form}&seen={seen}&step=save")).send().await
    }
}

const PAGES: &str = "/t/acme-corp/portal/access-management";

#[tokio::test]
async fn a_deletion_that_takes_long_goes_on_and_only_its_user_asks_for_the_outcome() {
    let (portal, group, role) = with_many().await;
    for (path, title, permission) in
        [(group, "Deleting the group `staff`", "posts:read"), (role, "Deleting the role `parker`", "billing:pay")]
    {
        let gate = Gate::close(&portal, nothing).await;
        let accepted = portal.call("DELETE", &path).by("root").send().await;
        let (location, json) = (accepted.is(202).header("location"), accepted.json());
        let id = accepted.id();
        assert_eq!(location, format!("/t/acme-corp/api/v1/operations/{id}"));
        let running = json!({ "id": id, "title": title, "path": location, "status": "running" });
        assert_eq!((&json, accepted.header("retry-after").as_str()), (&running, "1"));
        let asked = portal.at("GET", &location).by("root").send().await;
        assert_eq!((asked.is(200).json(), asked.header("retry-after").as_str()), (running, "1"));
        // Others are served meanwhile, and nothing is deleted yet.
        portal.call("GET", &path).by("root").send().await.is(200);
        assert!(portal.acme.check("user-000", permission));
        let is_for_its_user_only = async || {
            portal.at("GET", &location).send().await.is_problem(401, "unauthenticated");
            for other in ["lead", "auditor", "nobody", "globex-root"] {
                portal.at("GET", &location).by(other).send().await.is_problem(404, "not_found");
                let page = format!("{PAGES}/operations/{id}");
                portal.at("GET", &page).by(other).send().await.is(404);
            }
            let there = format!("/t/globex/api/v1/operations/{id}");
            portal.at("GET", &there).by("globex-root").send().await.is_problem(404, "not_found");
            portal.at("GET", &there).by("root").send().await.is_problem(404, "not_found");
        };
        is_for_its_user_only().await;
        gate.open().await;
        let done = json!({ "id": id, "title": title, "path": location, "status": "done", "httpStatus": 204 });
        assert_eq!(portal.outcome(&location, "root").await, done);
        assert_eq!(portal.outcome(&location, "root").await, done, "it can be asked for again");
        is_for_its_user_only().await;
        portal.call("GET", &path).by("root").send().await.is_problem(404, "not_found");
        assert!(!portal.acme.check("user-000", permission) && !portal.acme.check("user-249", permission));
    }
    portal.call("GET", "/operations/nothing").by("root").send().await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_deletion_for_few_users_is_answered_only_when_it_has_ended() {
    let (portal, ..) = with_many().await;
    let group = portal.group("few").await;
    let gate = Gate::close(&portal, nothing).await;
    let path = format!("/groups/{group}");
    let mut call = Box::pin(portal.call("DELETE", &path).by("root").send());
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut call).await.is_err(), "it waits");
    gate.open().await;
    call.await.is(204);
}

#[tokio::test]
async fn a_deletion_goes_on_without_its_client() {
    let (portal, group, _) = with_many().await;
    let gate = Gate::close(&portal, nothing).await;
    // It hangs up before there is an operation.
    let call = portal.call("DELETE", &group).by("root").send();
    drop(tokio::time::timeout(Duration::from_millis(5), call).await);
    gate.open().await;
    portal.until(|| portal.call("GET", &group).by("root"), |answer| answer.status == 404).await;
}

#[tokio::test]
async fn deletions_whose_clients_hang_up_are_bounded_for_each_user() {
    let (portal, group, role) = with_many().await;
    let gate = Gate::close(&portal, nothing).await;
    let hang_up = async || {
        let call = portal.call("DELETE", &group).by("lead").send();
        tokio::time::timeout(Duration::from_millis(5), call).await.ok()
    };
    let mut refused = None;
    for _ in 0..1_000 {
        refused = hang_up().await.filter(|answer| answer.status == 429);
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.is_problem(429, "too_many_operations").header("retry-after"), "1");
    let page = portal.save_deletion(&group, "lead").await;
    assert!(page.is(429).body.contains("Too many of your large changes have not ended yet"), "{page:?}");
    // That is of no concern to others.
    let location = portal.call("DELETE", &role).by("root").send().await.is(202).header("location");
    gate.open().await;
    assert_eq!(portal.outcome(&location, "root").await["httpStatus"], 204);
    portal.until(|| portal.call("DELETE", &group).by("lead"), |answer| answer.status == 404).await;
}

#[tokio::test]
async fn an_operation_is_shown_to_an_active_user_only() {
    type Change = fn(&Tx) -> rolecall::Result<()>;
    let cases: [(Change, bool); 2] =
        [(|tx| tx.user("lead")?.suspend()?.done(), true), (|tx| tx.delete_user("lead"), false)];
    for (change, is_suspended) in cases {
        let (portal, group, _) = with_many().await;
        let gate = Gate::close(&portal, change).await;
        let accepted = portal.call("DELETE", &group).by("lead").send().await;
        let location = accepted.is(202).header("location");
        let page = format!("{PAGES}/operations/{}", accepted.id());
        portal.at("GET", &location).by("lead").send().await.is(200);
        portal.at("GET", &page).by("lead").send().await.is(200);
        gate.open().await;
        portal.at("GET", &location).by("lead").send().await.is_problem(404, "not_found");
        let missing = portal.at("GET", &page).by("lead").send().await;
        assert!(missing.is(404).body.contains("Operation not found") && !missing.body.contains("staff"), "{missing:?}");
        if is_suspended {
            portal.acme.update(|tx| tx.user("lead")?.activate()?.done()).await.unwrap();
            let outcome = portal.outcome(&location, "lead").await;
            assert_eq!((&outcome["httpStatus"], &outcome["problem"]["code"]), (&json!(403), &json!("forbidden")));
        }
    }
}

#[tokio::test]
async fn an_outcome_has_no_details_after_its_user_has_lost_a_permission() {
    // The page: the effect has changed, and the preview lists who loses what.
    let (portal, group, role) = with_many().await;
    let lists = |tx: &Tx| {
        tx.create_role("lister")?.grant("access:read")?.grant("users:read")?;
        tx.user("lead")?.assign("lister")?.done()
    };
    portal.acme.update(lists).await.unwrap();
    let gate = Gate::close(&portal, |tx| tx.group("staff")?.set_slug("all")?.done()).await;
    let location = portal.save_deletion(&group, "lead").await.is(303).header("location");
    gate.open().await;
    let whole = portal.page_outcome(&location, "lead").await;
    assert!(whole.is(409).body.contains("user-000"), "{whole:?}");
    for role in ["lister", "group-manager"] {
        portal.acme.update(|tx| tx.user("lead")?.unassign(role)?.done()).await.unwrap();
        let bare = portal.at("GET", &location).by("lead").send().await;
        assert!(bare.is(409).body.contains("<h1>Nothing was deleted</h1>"), "{bare:?}");
        assert!(!bare.body.contains("user-0") && !bare.body.contains("posts:read"), "{bare:?}");
        portal.acme.update(|tx| tx.user("lead")?.assign(role)?.done()).await.unwrap();
        let again = portal.at("GET", &location).by("lead").send().await;
        assert!(again.is(409).body.contains("user-000"), "{again:?}");
    }
    // The API: the detail names a separation. The page of the same operation tells no more.
    let separate = |tx: &Tx| {
        tx.create_role("driver")?;
        tx.create_separation("cars", 1, ["parker", "driver"])?.done()
    };
    let gate = Gate::close(&portal, separate).await;
    let accepted = portal.call("DELETE", &role).by("lead").send().await;
    let location = accepted.is(202).header("location");
    let page = format!("{PAGES}/operations/{}", accepted.id());
    gate.open().await;
    let mut whole = portal.outcome(&location, "lead").await;
    assert!(whole["problem"]["detail"].as_str().unwrap().contains("cars"), "{whole}");
    let shown = portal.at("GET", &page).by("lead").send().await;
    assert!(shown.is(422).body.contains("cars"), "{shown:?}");
    portal.acme.update(|tx| tx.user("lead")?.unassign("role-manager")?.done()).await.unwrap();
    whole["problem"].as_object_mut().unwrap().retain(|name, _| ["status", "code", "title"].contains(&&**name));
    assert_eq!(portal.outcome(&location, "lead").await, whole);
    let bare = portal.at("GET", &page).by("lead").send().await;
    assert!(bare.is(422).body.contains("This cannot be done") && !bare.body.contains("cars"), "{bare:?}");
}

#[tokio::test]
async fn an_operation_of_a_deletion_that_was_made_leads_on_without_a_permission() {
    let (portal, group, role) = with_many().await;
    let gate = Gate::close(&portal, nothing).await;
    let page = portal.save_deletion(&group, "lead").await.is(303).header("location");
    let call = portal.call("DELETE", &role).by("lead").send().await.is(202).header("location");
    gate.open().await;
    portal.page_outcome(&page, "lead").await.is(303);
    assert_eq!(portal.outcome(&call, "lead").await["httpStatus"], 204);
    let lose = |tx: &Tx| tx.user("lead")?.unassign("group-manager")?.unassign("role-manager")?.done();
    portal.acme.update(lose).await.unwrap();
    portal.at("GET", &page).by("lead").send().await.is(303);
    assert_eq!(portal.outcome(&call, "lead").await["httpStatus"], 204);
}

#[tokio::test]
async fn an_operation_tells_the_problem_that_the_call_would_have_had() {
    type Change = fn(&Tx) -> rolecall::Result<()>;
    let cases: [(Change, u16, &str); 3] = [
        (|tx| tx.user("lead")?.unassign("group-manager")?.done(), 403, "forbidden"),
        (|tx| tx.delete_group("staff"), 404, "not_found"),
        (|tx| tx.group("staff")?.set_name("Everybody")?.done(), 412, "changed"),
    ];
    for (change, status, code) in cases {
        let (portal, group, _) = with_many().await;
        let tag = portal.call("GET", &group).by("lead").send().await.is(200).header("etag");
        let delete = || portal.call("DELETE", &group).by("lead").header("if-match", tag.as_str()).send();
        let gate = Gate::close(&portal, change).await;
        let location = delete().await.is(202).header("location");
        gate.open().await;
        let outcome = portal.outcome(&location, "lead").await;
        assert_eq!((&outcome["httpStatus"], &outcome["problem"]["code"]), (&json!(status), &json!(code)), "{outcome}");
        // The same call is answered at once now, with the same problem.
        assert_eq!(delete().await.is_problem(status, code).json(), outcome["problem"]);
    }
    // An error of the server tells nothing about the store.
    let (portal, group, _) = with_many().await;
    let gate = Gate::close(&portal, nothing).await;
    let location = portal.call("DELETE", &group).by("root").send().await.is(202).header("location");
    // The commit of the gate, and then that of the deletion.
    portal.store.pass_next(StoreCall::Commit);
    portal.store.fail_next(StoreCall::Commit, Fault::Unavailable);
    gate.open().await;
    let outcome = portal.outcome(&location, "root").await;
    assert_eq!((&outcome["httpStatus"], &outcome["problem"]["code"]), (&json!(503), &json!("unavailable")));
    assert!(outcome["problem"].get("detail").is_none() && portal.acme.check("user-000", "posts:read"), "{outcome}");
}

#[tokio::test]
async fn the_page_of_a_deletion_leads_to_the_list_when_it_is_done() {
    let (portal, group, role) = with_many().await;
    for (path, title, list, notice) in [
        (group, "Deleting the group `staff`", "groups?done=deleted", "The group was deleted."),
        (role, "Deleting the role `parker`", "roles?done=role-deleted", "The role was deleted."),
    ] {
        let gate = Gate::close(&portal, nothing).await;
        let location = portal.save_deletion(&path, "root").await.is(303).header("location");
        assert!(location.starts_with(&format!("{PAGES}/operations/")), "{location}");
        let page = portal.at("GET", &location).by("root").send().await;
        assert_eq!(page.is(200).header("refresh"), "1");
        let section = format!("{}\" aria-current=\"page\"", list.split('?').next().unwrap());
        for part in [&format!("<h1>{title}</h1>"), "role=\"status\"", "aria-label=\"Access management\"", &section] {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
        let other = portal.at("GET", &location).by("lead").send().await;
        assert!(other.is(404).body.contains("Not found") && !other.body.contains(title), "{other:?}");
        gate.open().await;
        let done = portal.page_outcome(&location, "root").await;
        assert_eq!(done.is(303).header("location"), format!("{PAGES}/{list}"));
        let list = portal.at("GET", &done.header("location")).by("root").send().await;
        assert!(list.is(200).body.contains(notice), "{list:?}");
        portal.call("GET", &path).by("root").send().await.is(404);
    }
    portal.at("GET", &format!("{PAGES}/operations/nothing")).by("root").send().await.is(404);
}

#[tokio::test]
async fn the_page_of_a_deletion_shows_why_it_was_refused() {
    type Change = fn(&Tx) -> rolecall::Result<()>;
    let cases: [(bool, Change, u16, &str); 4] = [
        (true, |tx| tx.user("lead")?.unassign("group-manager")?.done(), 403, "You may not see or change this"),
        (true, |tx| tx.delete_group("staff"), 409, "Somebody has changed this meanwhile"),
        // The preview would show it.
        (true, |tx| tx.group("staff")?.set_slug("all")?.done(), 409, "The effect has changed since the preview"),
        (
            false,
            |tx| {
                tx.create_role("driver")?;
                tx.create_separation("cars", 1, ["parker", "driver"])?.done()
            },
            422,
            "There is a problem",
        ),
    ];
    for (is_group, change, status, text) in cases {
        let (portal, group, role) = with_many().await;
        let path = if is_group { &group } else { &role };
        let gate = Gate::close(&portal, change).await;
        let location = portal.save_deletion(path, "lead").await.is(303).header("location");
        portal.at("GET", &location).by("lead").send().await.is(200);
        gate.open().await;
        let refused = portal.page_outcome(&location, "lead").await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.header("content-type").starts_with("text/html") && refused.body.contains(text), "{refused:?}");
        assert!(portal.acme.check("user-000", "billing:pay"));
    }
}

/// A portal with a group of `okta` with 250 users, and its path.
async fn with_managed() -> (Portal, String) {
    let portal = Portal::start().await;
    let filled = portal.acme.update(|tx| {
        tx.set_manager("okta")?;
        tx.ensure_managed_group(External { manager: "okta", id: "staff" }, "Staff")?;
        for n in 0..250 {
            let (id, key) = (format!("u{n}"), format!("user-{n:03}"));
            tx.ensure_managed_user(External { manager: "okta", id: &id }, &key)?.join("staff")?;
        }
        Ok(())
    });
    filled.await.unwrap();
    let path = format!("/Groups/{}", portal.acme.now().group("staff").unwrap().id);
    (portal, path)
}

#[tokio::test]
async fn large_changes_whose_clients_hang_up_are_bounded_for_each_directory() {
    let (portal, path) = with_managed().await;
    let gate = Gate::close(&portal, |_| Ok(())).await;
    let mut refused = None;
    for _ in 0..1_000 {
        let call = portal.scim("DELETE", &path).send();
        refused = tokio::time::timeout(Duration::from_millis(5), call).await.ok();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused.unwrap().is_scim_error(429, "").header("retry-after"), "1");
    // Small changes have no place.
    let mut small = std::pin::pin!(portal.scim("POST", "/Users").scim_json(&json!({ "userName": "zoe" })).send());
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut small).await.is_err(), "it waits for the gate");
    gate.open().await;
    small.await.is(201);
    portal.until(|| portal.scim("DELETE", &path), |answer| answer.status == 404).await;
}

#[tokio::test]
async fn a_directory_waits_for_the_deletion_of_a_large_group() {
    let (portal, path) = with_managed().await;
    let stale = portal.scim("DELETE", &path).header("if-match", "\"old\"");
    stale.send().await.is_scim_error(412, "");
    let gate = Gate::close(&portal, |_| Ok(())).await;
    let mut deletion = std::pin::pin!(portal.scim("DELETE", &path).send());
    // Longer than the API waits.
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut deletion).await.is_err());
    portal.scim("GET", &path).send().await.is(200);
    gate.open().await;
    deletion.await.is(204);
    portal.scim("GET", &path).send().await.is_scim_error(404, "");
}
