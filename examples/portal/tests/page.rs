//! The pages without a browser: each request goes to the router, as `tests/browser` does it with Chromium.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Request, StatusCode};
use rolecall::records::UserId;
use rolecall::{Tenant, Timestamp, Window};
use rolecall_portal::catalog::SystemRole;
use rolecall_portal::state::PortalState;
use rolecall_portal::stores::StoreChoice;
use rolecall_portal::{app, tenant};
use tower::ServiceExt;

struct Portal {
    router: Router,
    acme: Tenant,
    state: PortalState,
}

struct Answer {
    status: StatusCode,
    location: String,
    cookie: String,
    body: String,
}

/// One user's browser.
struct Browser<'a> {
    portal: &'a Portal,
    cookie: String,
}

const BASE: &str = "/t/acme-corp/portal/access-management";

impl Portal {
    async fn new() -> Self {
        let store = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await.unwrap();
        let acme = tenant::open_or_create_sample(&store.authorizer, "acme-corp").await.unwrap();
        let state = PortalState::over(store, "http://localhost");
        Self { router: app(state.clone()), acme, state }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, cookie) = (response.status(), header(LOCATION), header(SET_COOKIE));
        assert!(header(CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"), "every answer has the policy");
        let is_page = header(CONTENT_TYPE).starts_with("text/html");
        let body = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(
            !is_page || !body.contains("<script>") && !body.contains("style="),
            "no page has scripts or styles inside"
        );
        Answer { status, location, cookie, body }
    }

    /// Signs a user in with the form.
    async fn sign_in(&self, user: UserId) -> Browser<'_> {
        let token = format!("token of {user}");
        self.state.add_token(&token, &self.acme, user);
        let nobody = Browser { portal: self, cookie: String::new() };
        let answer = nobody.post("/t/acme-corp/portal/login", &[("token", &token)]).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, &*format!("{BASE}/groups")));
        Browser { portal: self, cookie: answer.cookie.split(';').next().unwrap().to_owned() }
    }

    async fn administrator(&self) -> Browser<'_> {
        self.sign_in(tenant::ensure_administrator(&self.acme).await.unwrap()).await
    }

    fn group(&self, slug: &str) -> String {
        format!("{BASE}/groups/{}", self.acme.now().group(slug).unwrap().id)
    }

    fn user(&self, key: &str) -> String {
        self.acme.now().user(key).unwrap().id.to_string()
    }

    fn role(&self, slug: &str) -> String {
        self.acme.now().role(slug).unwrap().id().to_string()
    }
}

impl Browser<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.portal.ask(Request::get(path).header(COOKIE, &self.cookie).body(Body::empty()).unwrap()).await
    }

    /// A page that is there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    fn form(&self, path: &str, site: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(COOKIE, &self.cookie).header("sec-fetch-site", site);
        request.body(Body::from(body)).unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.portal.ask(self.form(path, "same-origin", fields)).await
    }

    /// Sends a form with the version that the page shows.
    async fn change(&self, group: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
        let version = hidden(&self.page(page).await, "version");
        let mut all = vec![("version", version.as_str())];
        all.extend(fields);
        self.post(group, &all).await
    }

    /// Sends what a preview shows, to save it.
    async fn confirm(&self, path: &str, preview: &str) -> Answer {
        let form = preview.split("<form").find(|form| form.contains("name=\"seen\"")).unwrap();
        let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
        let pairs: Vec<(String, String)> = inputs
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").unwrap();
                (name.to_owned(), rest.split_once('"').unwrap().0.replace("&amp;", "&"))
            })
            .collect();
        let mut fields: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("step", "save"));
        self.post(path, &fields).await
    }
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

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
async fn each_page_and_each_form_requires_its_permission() {
    let portal = Portal::new().await;
    let bob = portal.acme.now().user("bob@acme.com").unwrap().id;
    let browser = portal.sign_in(bob).await;
    let group = portal.group("staff");
    let (role, user) = (portal.role("reader"), portal.user("bob@acme.com"));
    let permission = portal.acme.now().permission("posts:read").unwrap().id();
    let mut paths: Vec<String> = ["groups", "groups/new", "users", "roles", "permissions", "tester", "expiring"]
        .iter()
        .map(|page| format!("{BASE}/{page}"))
        .collect();
    paths.extend(
        ["", "/add-members", "/roles", "/subgroups", "/settings", "/children"].map(|tab| format!("{group}{tab}")),
    );
    paths.extend([
        format!("{BASE}/roles/{role}"),
        format!("{BASE}/users/{user}"),
        format!("{BASE}/permissions/{permission}"),
    ]);
    paths.push(format!("{group}/members/{user}"));
    for path in &paths {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            answer.body.starts_with("<!DOCTYPE html>") && !answer.body.contains("Alice"),
            "{path}: {}",
            answer.body
        );
    }
    // Who may read sees no forms, and what they would send is refused.
    portal.acme.update(|tx| tx.user("bob@acme.com")?.assign(SystemRole::Auditor)?.done()).await.unwrap();
    for path in paths.iter().filter(|path| !path.ends_with("new") && !path.ends_with("add-members")) {
        // Bob is an inherited member of staff.
        let expected = if path.contains("/members/") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let answer = browser.get(path).await;
        assert_eq!(answer.status, expected, "{path}");
        assert!(!answer.body.contains("name=\"do\"") && !answer.body.contains("name=\"step\""), "{path}");
    }
    for (path, action) in
        [(format!("{BASE}/groups"), ""), (group, "delete"), (format!("{BASE}/users/{user}"), "assign")]
    {
        let answer = browser.post(&path, &[("name", "X"), ("do", action), ("role", &role)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
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
    for elsewhere in ["https://evil.example/", "//evil.example", "/t/globex/portal/", "/t/acme-corp/portal/\\evil"] {
        let path = format!("/t/acme-corp/portal/login?next={elsewhere}");
        assert_eq!(nobody.post(&path, &[("token", "secret")]).await.location, format!("{BASE}/groups"), "{elsewhere}");
    }
    let change = nobody.post(&format!("{BASE}/groups"), &[("name", "X")]).await;
    assert_eq!((change.status, change.location.as_str()), (StatusCode::SEE_OTHER, "/t/acme-corp/portal/login"));
    // After signing out, the session opens nothing.
    let browser = portal.sign_in(admin).await;
    assert_eq!(browser.post("/t/acme-corp/portal/logout", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&format!("{BASE}/groups")).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_another_site_sends_is_refused() {
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
async fn nobody_gives_what_they_lack() {
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
    // What ends soon.
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
async fn what_does_not_exist_is_a_page_with_404() {
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
