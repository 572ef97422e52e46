//! Groups: the described steps, previews, conflicts, locks, the tree.

use axum::http::StatusCode;
use rolecall::{Timestamp, Window};

use crate::support::{BASE, Portal, hidden};

#[tokio::test]
async fn a_group_is_created_filled_and_given_roles_in_the_described_steps() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    // Create Group, with name, slug and description.
    assert!(admin.page(&format!("{BASE}/groups")).await.contains("Create Group"));
    let form = admin.page(&format!("{BASE}/groups/new")).await;
    for field in ["name=\"name\"", "name=\"slug\"", "name=\"description\""] {
        assert!(form.contains(field), "{field}");
    }
    let fields = [("name", "Engineering"), ("slug", "engineering"), ("description", "Engineering team members")];
    let created = admin.post(&format!("{BASE}/groups"), &fields).await;
    let group = portal.group("engineering");
    assert_eq!((created.status, created.location), (StatusCode::SEE_OTHER, format!("{group}?done=created")));
    // Open the group, and add members: search, and choose several.
    assert!(admin.page(&group).await.contains("Add Members"));
    let (alice, bob) = (portal.user("alice@acme.com"), portal.user("bob@acme.com"));
    let found = admin.page(&format!("{group}/add-members?q=BOB&user={alice}")).await;
    assert!(found.contains(&format!("value=\"{bob}\">")) && found.contains(&format!("value=\"{alice}\" checked")));
    assert!(!found.contains("carol@acme.com"), "the search narrows the list");
    let add = format!("{group}/add-members");
    let added = admin.change(&group, &add, &[("do", "add-members"), ("user", &alice), ("user", &bob)]).await;
    assert_eq!((added.status, added.location), (StatusCode::SEE_OTHER, format!("{group}?done=saved")));
    let members = admin.page(&group).await;
    assert!(members.contains("Alice Ngô") && members.contains("Bob Meyer"));
    // The Roles tab.
    let roles = format!("{group}/roles");
    let editor = portal.role("accountant");
    let assigned = admin.change(&group, &roles, &[("do", "assign"), ("role", &editor)]).await;
    assert_eq!((assigned.status, assigned.location), (StatusCode::SEE_OTHER, format!("{group}/roles?done=saved")));
    assert!(portal.acme.check("bob@acme.com", "invoices:approve"));
    assert!(admin.page(&roles).await.contains("Accountant"));
    // Removing a member takes what the group gave. It is previewed first.
    let preview = admin.change(&group, &group, &[("do", "remove-members"), ("user", &bob), ("step", "preview")]).await;
    assert_eq!(preview.status, StatusCode::OK);
    assert!(preview.body.contains("Loses") && preview.body.contains("invoices:approve"), "{}", preview.body);
    assert!(portal.acme.check("bob@acme.com", "invoices:approve"), "a preview saves nothing");
    let saved = admin.confirm(&group, &preview.body).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    assert!(!portal.acme.check("bob@acme.com", "invoices:approve"));
    assert!(portal.acme.check("alice@acme.com", "invoices:approve"));
}

#[tokio::test]
async fn mistakes_are_shown_beside_their_fields_and_what_was_entered_stays() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let path = format!("{BASE}/groups");
    for (fields, field, text) in [
        ([("name", ""), ("slug", "x"), ("description", "Kept")], "name", "Enter a name"),
        ([("name", "Again"), ("slug", "staff"), ("description", "Kept")], "slug", "already exists"),
        ([("name", "Again"), ("slug", "a b"), ("description", "Kept")], "slug", "invalid slug"),
    ] {
        let answer = admin.post(&path, &fields).await;
        assert!(answer.status.is_client_error(), "{text}");
        assert!(answer.body.contains(&format!("<a href=\"#{field}\">")), "{text}: {}", answer.body);
        assert!(answer.body.to_lowercase().contains(&text.to_lowercase()), "{text}: {}", answer.body);
        assert!(answer.body.contains("aria-invalid=\"true\"") && answer.body.contains("value=\"Kept\""), "{text}");
    }
    let group = portal.group("finance");
    let alice = portal.user("alice@acme.com");
    let add = format!("{group}/add-members");
    let past = [("do", "add-members"), ("user", &*alice), ("until", "2001-01-31")];
    let answer = admin.change(&group, &add, &past).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("in the past") && answer.body.contains("value=\"2001-01-31\""));
    let none = admin.change(&group, &add, &[("do", "add-members")]).await;
    assert!(none.body.contains("Choose at least one user"));
}

#[tokio::test]
async fn a_form_for_an_old_state_overwrites_nothing() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let group = portal.group("finance");
    let settings = format!("{group}/settings");
    let version = hidden(&admin.page(&settings).await, "version");
    portal.acme.update(|tx| tx.group("finance")?.set_name("Money")?.done()).await.unwrap();
    let edit = [("do", "edit"), ("version", &*version), ("name", "Finances"), ("slug", "finance"), ("description", "")];
    let conflict = admin.post(&group, &edit).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.body.contains("Somebody has changed this meanwhile") && conflict.body.contains("Finances"));
    assert_eq!(portal.acme.now().group("finance").unwrap().name, "Money");
    // It can be looked at on the present state, and then be saved.
    let preview =
        admin.post(&group, &[edit[0], ("version", "any"), edit[2], edit[3], edit[4], ("step", "preview")]).await;
    assert!(preview.body.contains("<code>Money</code> → <code>Finances</code>"), "{}", preview.body);
    assert_eq!(admin.confirm(&group, &preview.body).await.status, StatusCode::SEE_OTHER);
    assert_eq!(portal.acme.now().group("finance").unwrap().name, "Finances");
    // Without a version, or with one that was never shown, nothing is saved.
    for version in ["", "any", "0123"] {
        let answer = admin.post(&group, &[("do", "edit"), ("version", version), ("name", "X"), ("slug", "x")]).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{version}");
    }
}

#[tokio::test]
async fn a_preview_that_is_out_of_date_is_shown_again() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let group = portal.group("finance");
    let bob = portal.user("bob@acme.com");
    let add = format!("{group}/add-members");
    let preview = admin.change(&group, &add, &[("do", "add-members"), ("user", &bob), ("step", "preview")]).await;
    assert!(preview.body.contains("Gains") && preview.body.contains("invoices:approve"));
    // The group is the same, and what it gives is not.
    portal.acme.update(|tx| tx.role("accountant")?.grant("deploy:production")?.done()).await.unwrap();
    let again = admin.confirm(&group, &preview.body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("deploy:production") && !portal.acme.check("bob@acme.com", "invoices:approve"));
    assert_eq!(admin.confirm(&group, &again.body).await.status, StatusCode::SEE_OTHER);
    assert!(portal.acme.check("bob@acme.com", "deploy:production"));
}

#[tokio::test]
async fn a_user_cannot_give_permissions_they_lack() {
    let portal = Portal::new().await;
    portal
        .acme
        .update(|tx| {
            tx.create_role("lead")?.grant("groups:*")?.grant("posts:*")?;
            tx.user("erin@acme.com")?.assign("lead")?.done()
        })
        .await
        .unwrap();
    let erin = portal.sign_in(portal.acme.now().user("erin@acme.com").unwrap().id).await;
    let group = portal.group("marketing");
    let roles = format!("{group}/roles");
    let answer = erin.change(&group, &roles, &[("do", "assign"), ("role", &portal.role("accountant"))]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    assert!(answer.body.contains("There is a problem"));
    assert!(!portal.acme.check("bob@acme.com", "invoices:read"));
    let allowed = erin.change(&group, &roles, &[("do", "assign"), ("role", &portal.role("reader"))]).await;
    assert_eq!(allowed.status, StatusCode::SEE_OTHER, "{}", allowed.body);
}

#[tokio::test]
async fn a_temporary_member_has_an_end_that_can_be_changed() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let (group, bob) = (portal.group("finance"), portal.user("bob@acme.com"));
    let add = format!("{group}/add-members");
    let fields = [("do", "add-members"), ("user", &*bob), ("until", "2999-01-31")];
    assert_eq!(admin.change(&group, &add, &fields).await.status, StatusCode::SEE_OTHER);
    let window = || {
        let now = portal.acme.now();
        let groups = now.groups_of("bob@acme.com");
        groups.iter().find(|entry| entry.record.slug == "finance").unwrap().window
    };
    let end = |text: &str| Window::until(Timestamp::parse(text).unwrap());
    assert_eq!(window(), end("2999-02-01T00:00:00Z"));
    assert!(admin.page(&group).await.contains("temporary"));
    let member = format!("{group}/members/{bob}");
    let page = admin.page(&member).await;
    assert!(page.contains("value=\"2999-01-31\""), "{page}");
    let was = hidden(&page, "was");
    let set = [("do", "set-window"), ("user", &*bob), ("was", &*was), ("until", "2999-03-31")];
    assert_eq!(admin.change(&group, &member, &set).await.status, StatusCode::SEE_OTHER);
    assert_eq!(window(), end("2999-04-01T00:00:00Z"));
    let stale = admin.change(&group, &member, &set).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "the window is not what the page had shown");
    // It can begin later, too, and not after its end.
    let was = hidden(&admin.page(&member).await, "was");
    let set = [("do", "set-window"), ("user", &*bob), ("was", &*was), ("from", "2999-03-01"), ("until", "2999-03-31")];
    assert_eq!(admin.change(&group, &member, &set).await.status, StatusCode::SEE_OTHER);
    let timestamp = |text: &str| Timestamp::parse(text).unwrap();
    let both = Window::between(timestamp("2999-03-01T00:00:00Z"), timestamp("2999-04-01T00:00:00Z")).unwrap();
    assert_eq!(window(), both);
    let page = admin.page(&member).await;
    assert!(page.contains("value=\"2999-03-01\"") && page.contains("not yet active"), "{page}");
    let was = hidden(&page, "was");
    let set = [("do", "set-window"), ("user", &*bob), ("was", &*was), ("from", "2999-05-01"), ("until", "2999-03-31")];
    let refused = admin.change(&group, &member, &set).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("href=\"#until\"") && refused.body.contains("value=\"2999-05-01\""));
    // The relations that end soon.
    let soon = portal.acme.now().instant().saturating_add(std::time::Duration::from_secs(3600));
    portal
        .acme
        .update(|tx| tx.group("finance")?.set_member_window("bob@acme.com", Window::until(soon))?.done())
        .await
        .unwrap();
    let page = admin.page(&format!("{BASE}/expiring?days=1")).await;
    assert!(page.contains("Bob Meyer") && page.contains("Finance"));
}

#[tokio::test]
async fn a_group_of_a_directory_is_locked() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    portal
        .acme
        .update(|tx| {
            tx.set_manager("okta")?;
            tx.group("marketing")?.set_managed_by(Some("okta"))?.done()
        })
        .await
        .unwrap();
    let (group, alice) = (portal.group("marketing"), portal.user("alice@acme.com"));
    for tab in ["", "/settings", "/roles"] {
        let page = admin.page(&format!("{group}{tab}")).await;
        assert!(page.contains("managed by okta") || page.contains("managed by <"), "{tab}: {page}");
    }
    let members = admin.page(&group).await;
    assert!(!members.contains("Add Members") && !members.contains("Remove chosen"));
    assert_eq!(admin.get(&format!("{group}/add-members")).await.status, StatusCode::FORBIDDEN);
    let version = hidden(&admin.page(&format!("{group}/roles")).await, "version");
    let add = [("do", "add-members"), ("version", &*version), ("user", &*alice)];
    let answer = admin.post(&group, &add).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("okta"), "{}", answer.body);
    let roles = format!("{group}/roles");
    let free = admin.change(&group, &roles, &[("do", "assign"), ("role", &portal.role("developer"))]).await;
    assert_eq!(free.status, StatusCode::SEE_OTHER, "roles are free: {}", free.body);
}

#[tokio::test]
async fn subgroups_load_level_by_level_and_a_search_shows_full_paths() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let top = admin.page(&format!("{BASE}/groups")).await;
    assert!(top.contains("Staff") && !top.contains(">Platform<"), "only groups without parents");
    let staff = portal.acme.now().group("staff").unwrap().id;
    let level = admin.page(&format!("{BASE}/groups/{staff}/children")).await;
    assert!(level.contains(">Product<") && !level.contains(">Platform<") && !level.contains("<html"));
    let opened = admin.page(&format!("{BASE}/groups?open={staff}")).await;
    assert!(opened.contains(">Product<") && opened.contains("aria-expanded=\"true\""), "without the script, too");
    let found = admin.page(&format!("{BASE}/groups?q=plat")).await;
    let text: String = found.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text)).collect();
    assert!(text.contains("Staff / , then Product / , then Platform"), "{text}");
    // Members and roles say where they come from.
    let all = admin.page(&format!("{}?show=all", portal.group("staff"))).await;
    assert!(all.contains("inherited") && all.contains("Carol"));
    let roles = admin.page(&format!("{}/roles", portal.group("platform"))).await;
    assert!(
        roles.contains("from the group") && roles.contains(&format!("{}/roles\">Product", portal.group("product")))
    );
    let own = admin.page(&format!("{}/roles", portal.group("staff"))).await;
    assert!(own.contains("Reader") && !own.contains("from the group"), "a direct role is not inherited: {own}");
    // A parent is added, previewed first, and a cycle is refused.
    let (product, path) = (portal.group("product"), format!("{}/subgroups", portal.group("product")));
    let cycle =
        admin.change(&product, &path, &[("do", "add-parent"), ("parent", "platform"), ("step", "preview")]).await;
    assert_eq!(cycle.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", cycle.body);
}

#[tokio::test]
async fn a_tree_ends_however_its_groups_are_linked() {
    const LAYERS: usize = 7;
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    // Each of four groups is part of all four above it, so there are 4 + 4² + … + 4⁷ ways down.
    let filled = portal.acme.update(|tx| {
        for layer in 0..LAYERS {
            for i in 0..4 {
                let group = tx.create_group(&format!("layer-{layer}-{i}"))?;
                for above in 0..4 {
                    if layer > 0 {
                        group.add_parent(format!("layer-{}-{above}", layer - 1).as_str())?;
                    }
                }
            }
        }
        Ok(())
    });
    filled.await.unwrap();
    let now = portal.acme.now();
    let slugs = (0..LAYERS).flat_map(|layer| (0..4).map(move |i| format!("layer-{layer}-{i}")));
    let open: Vec<String> = slugs.map(|slug| now.group(slug.as_str()).unwrap().id.to_string()).collect();
    drop(now);
    let page = admin.page(&format!("{BASE}/groups?open={}", open.join(","))).await;
    let nodes = page.matches("class=\"node\"").count();
    assert!((500..1_200).contains(&nodes), "{nodes}");
    let below = portal.group("layer-0-0");
    let page = admin.page(&format!("{below}/subgroups?open={}", open.join(","))).await;
    let nodes = page.matches("class=\"node\"").count();
    assert!((500..1_200).contains(&nodes), "{nodes}");
}

#[tokio::test]
async fn deleting_a_group_or_role_of_250_users_shows_a_preview_with_their_number() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let filled = portal.acme.update(|tx| {
        tx.create_permission("parking:use")?;
        tx.create_role("parker")?.grant("parking:use")?;
        tx.create_role("driver")?.grant("parking:use")?;
        tx.create_group("drivers")?.assign("driver")?;
        tx.create_group("couriers")?.add_parent("drivers")?;
        for n in 0..250 {
            tx.create_user(&format!("driver-{n:03}"))?.join("drivers")?;
            tx.create_user(&format!("parker-{n:03}"))?.assign("parker")?;
        }
        Ok(())
    });
    filled.await.unwrap();
    let (group, role) = (portal.group("drivers"), format!("{BASE}/roles/{}", portal.role("parker")));
    for (path, first, last, user) in [
        (&group, "Deleted group <code>drivers</code>", "Removed 250 memberships in <code>drivers</code>", "driver-049"),
        (
            &role,
            "Deleted role <code>parker</code>",
            "Removed 250 assignments of <code>parker</code> to users",
            "parker-049",
        ),
    ] {
        let settings = format!("{path}/settings");
        let preview = admin.change(path, &settings, &[("do", "delete"), ("step", "preview")]).await;
        assert_eq!(preview.status, StatusCode::OK, "{}", preview.body);
        for shown in [first, last, user, "parking:use", "Only the first 50 users are shown."] {
            assert!(preview.body.contains(shown), "{shown} in {}", preview.body);
        }
        let name = user.replace("049", "000");
        assert!(portal.acme.check(&name, "parking:use"), "a preview saves nothing");
        // Something else changes that the preview shows: it is shown again, and nothing is saved.
        let id = portal.user(&name);
        let renamed = portal
            .acme
            .update(move |tx| tx.user(id.parse::<rolecall::records::UserId>()?)?.set_name(Some("X"))?.done());
        renamed.await.unwrap();
        let again = admin.finished(admin.confirm(path, &preview.body).await).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
        assert!(again.body.contains(last) && portal.acme.check(&name, "parking:use"), "{}", again.body);
        let saved = admin.finished(admin.confirm(path, &again.body).await).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        assert!(!portal.acme.check(&name, "parking:use"));
    }
    let now = portal.acme.now();
    assert!(now.group("drivers").is_none() && now.role("parker").is_none() && now.group("couriers").is_some());
}
