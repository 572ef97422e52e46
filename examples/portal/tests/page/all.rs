//! Rules for all pages: sessions, other sites, markup, lists, what does not exist.

use axum::http::StatusCode;
use rolecall_portal::tenant;

use crate::support::{BASE, Browser, Portal};

#[tokio::test]
async fn markup_in_names_is_text() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let evil = "<script>alert(1)</script>\" onload=x '";
    portal
        .acme
        .update(|tx| {
            tx.create_permission("evil\"<b>")?.set_name(evil)?;
            tx.create_role("evil\"<b>")?.set_name(evil)?.grant("evil\"<b>")?;
            tx.create_group("evil\"<b>")?
                .set_name(evil)?
                .set_description(evil)?
                .assign("evil\"<b>")?
                .add_parent("staff")?;
            tx.create_user("evil\"<b>")?.set_name(Some(evil))?.join("evil\"<b>")?.done()
        })
        .await
        .unwrap();
    let group = portal.group("evil\"<b>");
    let (user, role) = (portal.user("evil\"<b>"), portal.role("evil\"<b>"));
    let permission = portal.acme.now().permission("evil\"<b>").unwrap().id();
    let mut paths =
        vec![format!("{BASE}/groups"), format!("{BASE}/groups?q=%3Cb%3E"), format!("{BASE}/groups?q=script")];
    paths.extend(
        ["", "?show=all", "/roles", "/subgroups", "/settings", "/add-members?q=%22%3E%3Cb%3E"]
            .map(|tab| format!("{group}{tab}")),
    );
    paths.push(format!("{group}/members/{user}"));
    paths.push(format!("{}/children", portal.group("staff")));
    paths.extend([format!("{BASE}/users"), format!("{BASE}/users/{user}"), format!("{BASE}/roles/{role}")]);
    paths.extend([format!("{BASE}/roles"), format!("{BASE}/permissions"), format!("{BASE}/permissions/{permission}")]);
    paths.push(format!("{BASE}/tester?user=evil%22%3Cb%3E&permission=evil%22%3Cb%3E"));
    paths.push(format!("{BASE}/tester?user=%3Cb%3E&permission=%3Cb%3E"));
    for path in paths {
        let page = admin.page(&path).await;
        assert!(!page.contains("<b>") && !page.contains("<script>alert"), "{path}: {page}");
        assert!(!page.contains("\" onload"), "{path}: {page}");
    }
    let fields = [("name", evil), ("slug", "<b>"), ("description", evil), ("step", "preview")];
    let preview = admin.post(&format!("{BASE}/groups"), &fields).await;
    assert!(!preview.body.contains("<b>") && !preview.body.contains("<script>alert"), "{}", preview.body);
}

#[tokio::test]
async fn without_a_session_a_page_leads_to_the_form_and_back() {
    let portal = Portal::new().await;
    let nobody = Browser { portal: &portal, cookie: String::new() };
    let answer = nobody.get(&format!("{BASE}/groups?q=eng")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let login = "/t/acme-corp/portal/login?next=%2Ft%2Facme-corp%2Fportal%2Faccess-management%2Fgroups%3Fq%3Deng";
    assert_eq!(answer.location, login);
    let admin = tenant::ensure_administrator(&portal.acme).await.unwrap();
    portal.state.add_token("secret", &portal.acme, admin);
    let wrong = nobody.post(login, &[("token", "wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("not a token of this tenant") && wrong.body.contains("next="));
    let right = nobody.post(login, &[("token", "secret")]).await;
    assert_eq!(right.location, format!("{BASE}/groups?q=eng"));
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/t/globex/portal/",
        "/t/acme-corp/portal/\\evil",
        "/t/acme-corp/portal/%C3%A9",
        "/t/acme-corp/portal/%00",
        "/t/acme-corp/portal/%0D%0AX:1",
    ] {
        let path = format!("/t/acme-corp/portal/login?next={elsewhere}");
        assert_eq!(nobody.post(&path, &[("token", "secret")]).await.location, format!("{BASE}/groups"), "{elsewhere}");
    }
    let change = nobody.post(&format!("{BASE}/groups"), &[("name", "X")]).await;
    assert_eq!((change.status, change.location.as_str()), (StatusCode::SEE_OTHER, "/t/acme-corp/portal/login"));
    // After signing out, the session opens nothing.
    let browser = portal.sign_in(admin).await;
    assert_eq!(browser.post("/t/acme-corp/portal/logout", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&format!("{BASE}/groups")).await.status, StatusCode::SEE_OTHER);
    for tenant in ["%C3%A9", "a%0Ab"] {
        let answer = nobody.post(&format!("/t/{tenant}/portal/logout"), &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{tenant}");
    }
}

#[tokio::test]
async fn a_blank_token_signs_nobody_in() {
    let portal = Portal::new().await;
    let admin = tenant::ensure_administrator(&portal.acme).await.unwrap();
    let nobody = Browser { portal: &portal, cookie: String::new() };
    for token in ["", " ", "\t"] {
        portal.state.add_token(token, &portal.acme, admin);
        portal.state.add_scim_token(token, &portal.acme, "okta").unwrap();
        let answer = nobody.post("/t/acme-corp/portal/login", &[("token", token)]).await;
        assert_eq!((answer.status, answer.cookie.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, ""), "{token:?}");
        assert!(portal.state.principal(token).is_none() && portal.state.directory(token).is_none(), "{token:?}");
    }
}

#[tokio::test]
async fn a_user_who_signs_in_often_ends_only_the_own_oldest_session() {
    let portal = Portal::new().await;
    let bob = portal.sign_in(portal.acme.now().user("bob@acme.com").unwrap().id).await;
    let (first, second) = (portal.administrator().await, portal.administrator().await);
    for _ in 0..19 {
        portal.administrator().await;
    }
    let groups = format!("{BASE}/groups");
    assert_eq!(first.get(&groups).await.status, StatusCode::SEE_OTHER, "it has ended");
    assert_eq!(second.get(&groups).await.status, StatusCode::OK);
    assert_eq!(bob.get(&groups).await.status, StatusCode::FORBIDDEN, "it goes on");
}

#[tokio::test]
async fn a_request_from_another_site_is_refused() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    for path in
        [format!("{BASE}/groups"), portal.group("staff"), format!("{BASE}/users/{}", portal.user("bob@acme.com"))]
    {
        for site in ["cross-site", "same-site", "none"] {
            let answer = portal.ask(admin.form(&path, site, &[("name", "X"), ("do", "delete")])).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {site}");
            assert!(answer.body.contains("another site"));
        }
        let mut silent = admin.form(&path, "", &[("name", "X")]);
        silent.headers_mut().remove("sec-fetch-site");
        assert_eq!(portal.ask(silent).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let login = portal.ask(admin.form("/t/acme-corp/portal/login", "cross-site", &[("token", "x")])).await;
    assert_eq!(login.status, StatusCode::FORBIDDEN);
    assert!(portal.acme.now().group("x").is_none() && portal.acme.now().group("staff").is_some());
}

#[tokio::test]
async fn the_tester_draws_the_paths() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let page = admin.page(&format!("{BASE}/tester?user=carol@acme.com&permission=code:push")).await;
    assert!(page.contains("unknown") || page.contains("Allowed"), "{page}");
    for part in ["is in the group", "part of the group", "has the role", "Developer", "code:*"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let denied = admin.page(&format!("{BASE}/tester?user=bob@acme.com&permission=code:push")).await;
    assert!(denied.contains("Denied") && denied.contains("Roles that would grant it"));
    let unknown = admin.page(&format!("{BASE}/tester?user=bob@acme.com&permission=code:pus")).await;
    assert!(unknown.contains("Similar names") && unknown.contains("code:push"));
    assert!(admin.page(&format!("{BASE}/tester?user=bob")).await.contains("Enter the slug"));
}

#[tokio::test]
async fn lists_have_pages() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    portal
        .acme
        .update(|tx| {
            for i in 0..120 {
                let name = format!("extra-{i:03}");
                tx.create_permission(&name)?;
                tx.create_role(&name)?;
                tx.create_group(&name)?.assign("reader")?;
                tx.create_user(&name)?.join("finance")?.done()?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let lists = [
        format!("{BASE}/groups"),
        format!("{BASE}/groups?q=extra"),
        format!("{BASE}/users"),
        format!("{BASE}/roles"),
        format!("{BASE}/permissions"),
        portal.group("finance"),
        format!("{}?show=all", portal.group("finance")),
        format!("{BASE}/roles/{}?show=groups", portal.role("reader")),
        format!("{BASE}/roles/{}", portal.role("reader")),
    ];
    for list in lists {
        let (mut path, mut seen, mut pages) = (list.clone(), 0, 0);
        loop {
            let page = admin.page(&path).await;
            seen += page.matches("extra-").count().min(1);
            pages += 1;
            let Some((_, rest)) = page.split_once("<a rel=\"next\" href=\"") else { break };
            path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
            assert!(pages < 10, "{list}");
        }
        assert!(pages >= 3 && seen >= 2, "{list}: {pages} pages");
    }
}

#[tokio::test]
async fn an_unknown_path_or_id_returns_a_page_with_404() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let mut paths: Vec<String> =
        ["groups", "users", "roles", "permissions"].iter().map(|kind| format!("{BASE}/{kind}/{nobody}")).collect();
    paths.extend([
        format!("{BASE}/nothing"),
        format!("{BASE}/groups/{nobody}/roles"),
        format!("{}/nothing", portal.group("staff")),
    ]);
    for path in paths {
        let answer = admin.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.body.contains("<h1>Not found</h1>"), "{path}: {}", answer.body);
    }
    assert_eq!(admin.get("/t/acme-corp/portal").await.location, format!("{BASE}/groups"));
    let change = admin.post(&format!("{BASE}/groups/{nobody}"), &[("do", "delete"), ("version", "x")]).await;
    assert!(change.status.is_client_error());
}
